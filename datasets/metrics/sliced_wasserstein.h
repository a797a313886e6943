// The sliced Wasserstein distance between two sets of samples.
#pragma once

#include "datasets/metrics/metrics.h"

namespace stride {

struct SlicedOptions {
  int64_t projections = 512;
  uint64_t seed = 0;  ///< of the directions
};

/// (mean over L directions θ of W₂²(θ·x, θ·y))^{1/2}, of order 2 (Bonneel et al. 2015, doi:10.1007/s10851-014-0506-3,
/// by Monte Carlo). The θ are uniform on the unit sphere, normals divided by their length, drawn on the CPU
/// from a generator with `seed`: the same for every sampler and device. W₂ of the two one-dimensional empirical
/// measures is exact for any two sizes: both are sorted, and mass moves in order. `x` `[N, …]` and `y` `[M, …]` of one
/// shape are flattened; float64 on the device of `x`. Above 0 for two finite draws of one law, falling with either n.
/// Throws UsageError when shapes differ. Not finite where a sample is not.
[[nodiscard]] double sliced_wasserstein(const Tensor& x, const Tensor& y, const SlicedOptions& options = {});

/// The same for all of `x`, each block and all but each block, on the same directions.
[[nodiscard]] BlockMetric sliced_metric(const Tensor& x, const Tensor& y, const std::vector<int64_t>& bounds,
                                        const SlicedOptions& options = {});

}  // namespace stride
