// The Fréchet distance of infinitely many samples, read off a straight line in 1/n.
#pragma once

#include "datasets/metrics/metrics.h"

namespace stride {

struct FrechetLimitOptions {
  int64_t sizes = 15;     ///< subset sizes on the line
  double smallest = 0.1;  ///< share of the samples in the smallest subsets
  uint64_t seed = 0;      ///< of the subsets
};

/// FD_∞ of `features` `[N, F]` to `reference`: the distance is measured at `sizes` subset sizes, evenly spaced from the
/// smallest to N, and the least-squares line a + b/n through them gives a, the value at 1/n = 0 (Chong & Forsyth 2020,
/// arXiv:1911.07023). One subset a size, drawn without replacement from one generator. The smallest is
/// max(⌈smallest·N⌉, min(2F, ⌊N/2⌋), 2): with fewer samples than features the distance is no line in 1/n, and with N
/// under 4F the result is rough. The bias of the reference's own n stays. May be below 0. NaN where features are not
/// finite. Throws UsageError when F differs, or N < 8.
[[nodiscard]] double frechet_limit(const Tensor& features, const FeatureStatistics& reference,
                                   const FrechetLimitOptions& options = {});

/// The same with its interval; blocks by themselves are too small to extrapolate from and have no values.
[[nodiscard]] BlockMetric frechet_limit_metric(const Tensor& features, const FeatureStatistics& reference,
                                               const std::vector<int64_t>& bounds,
                                               const FrechetLimitOptions& options = {});

/// The value at x = 0 of the least-squares line through (x, y). Throws UsageError for fewer than two different x.
[[nodiscard]] double line_at_zero(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace stride
