// How much of one set of features lies where the other one does: precision, recall, density and coverage.
#pragma once

#include "datasets/metrics/metrics.h"

namespace stride {

/// Distance of each row of `x` `[N, F]` to its k-th nearest other row, 1 ≤ k < N: float64 `[N]` on the device of `x`.
/// Distances are summed from differences, not from inner products: equal rows are at exactly 0, and a distance is the
/// same whichever side it is seen from. In chunks: at most 128 MiB of distances at a time. Throws UsageError otherwise.
[[nodiscard]] Tensor neighbour_distance(const Tensor& x, int64_t k);

struct ManifoldOptions {
  int64_t precision_k = 3;  ///< of precision and recall: Kynkäänniemi et al. 2019
  int64_t density_k = 5;    ///< of density and coverage: Naeem et al. 2020
};

/// Four numbers about generated features Y (N of them) and real ones X (M), with B_k(Z_i) the closed ball around Z_i up
/// to its k-th nearest neighbour in its own set:
///   precision  share of Y in some B_k(X_i)                (Kynkäänniemi et al. 2019, arXiv:1904.06991, eq. 2)
///   recall     share of X in some B_k(Y_j)                (the same)
///   density    Σ_ij 1[Y_j ∈ B_k(X_i)] / (k·N), may exceed 1  (Naeem et al. 2020, arXiv:2002.09797)
///   coverage   share of the B_k(X_i) with some Y_j inside (the same)
struct ManifoldMetric {
  BlockMetric precision, recall, density, coverage;
};

/// Of `generated` `[N, F]` against `real` `[M, F]`. Blocks and intervals as block_bounds and jackknife; where a set (a
/// block, or all but one) has no k-th neighbour its recall is NaN. O((N + M)²·F) operations, memory as
/// neighbour_distance. Throws UsageError where M or N is not larger than k, or F differs.
[[nodiscard]] ManifoldMetric manifold_metric(const Tensor& generated, const Tensor& real,
                                             const std::vector<int64_t>& bounds, const ManifoldOptions& options = {});

}  // namespace stride
