// The kernel distance (KID): how far apart two sets of features are, without a bias from few samples.
#pragma once

#include "datasets/metrics/metrics.h"

namespace stride {

/// The unbiased estimate of the squared maximum mean discrepancy of `x` `[N, F]` and `y` `[M, F]`, N and M ≥ 2, with
/// the kernel k(a, b) = (a·b/F + 1)³:
///   Σ_{i≠j} k(x_i, x_j)/(N(N − 1)) + Σ_{i≠j} k(y_i, y_j)/(M(M − 1)) − 2·Σ_{ij} k(x_i, y_j)/(N·M)
/// (Bińkowski et al. 2018, arXiv:1801.01401, eq. 4; Gretton et al. 2012, eq. 3). May be below 0. Computed in float64 on
/// the device of `x`, a tile of 2,048 × 2,048 at a time. Throws UsageError on other shapes.
[[nodiscard]] double kernel_distance(const Tensor& x, const Tensor& y);

/// The same for all of `x`, each block and all but each block, each pair of rows looked at once. Blocks of fewer than
/// two samples have NaN.
[[nodiscard]] BlockMetric kernel_metric(const Tensor& x, const Tensor& y, const std::vector<int64_t>& bounds);

/// Mean and standard deviation (divisor `subsets`) of the estimate over random subsets of `size` samples of either
/// side, drawn without replacement: what papers report as KID ± std.
struct KernelSubsets {
  double mean = 0;
  double std = 0;
  int64_t subsets = 0, size = 0;
};
/// Throws UsageError when a side has fewer than `size` rows, or `size` < 2. The same subsets for the same `seed`.
[[nodiscard]] KernelSubsets kernel_distance_subsets(const Tensor& x, const Tensor& y, int64_t subsets = 100,
                                                    int64_t size = 1000, uint64_t seed = 0);

}  // namespace stride
