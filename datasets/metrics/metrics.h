// How far samples are from where a teacher ended, and from a set of real ones.
#pragma once

#include "datasets/metrics/frechet.h"
#include "datasets/metrics/intervals.h"

#include <vector>

namespace stride {

/// Root mean square difference of each sample: float64 `[N]` on the CPU, from `x` and `reference` `[N, …]` of one
/// shape. Throws UsageError when shapes differ. Not finite where a sample is not.
[[nodiscard]] Tensor rmse_per_sample(const Tensor& x, const Tensor& reference);

/// A metric of all samples, its interval, and what each block of seeds says by itself.
struct BlockMetric {
  Estimate all;
  std::vector<double> blocks;
};

/// √(mean of squares) over per-sample RMSEs `[N]` (each sample of one size), i.e. the RMSE over all values. `bounds`
/// as of block_bounds.
[[nodiscard]] BlockMetric overall_rmse(const Tensor& per_sample, const std::vector<int64_t>& bounds);

/// The mean of a per-sample figure `[N]`.
[[nodiscard]] BlockMetric sample_mean(const Tensor& per_sample, const std::vector<int64_t>& bounds);

/// Peak signal-to-noise ratio of each sample in decibels, 20·log₁₀(peak/RMSE), from per-sample RMSEs `[N]`. `peak` is
/// the range of the values: 2 for images in [−1, 1], 255 for 8-bit ones. Infinite where the RMSE is 0. Throws
/// UsageError unless peak > 0.
[[nodiscard]] Tensor psnr_per_sample(const Tensor& rmse, double peak = 2.0);

/// Euclidean distance of each row of `features` to the same row of `reference`, both `[N, F]`: float64 `[N]` on the
/// CPU. Throws UsageError when shapes differ.
[[nodiscard]] Tensor feature_distance_per_sample(const Tensor& features, const Tensor& reference);

/// The value at probability p of a per-sample figure `[N]`.
[[nodiscard]] BlockMetric sample_quantile(const Tensor& per_sample, double p, const std::vector<int64_t>& bounds);

/// Fréchet distance of `features` `[N, F]` to `reference`. A block's own value is biased upwards by its smaller n: it
/// is for looking at spread, never for comparing with the value of all. NaN for blocks of fewer than two samples.
[[nodiscard]] BlockMetric frechet_metric(const Tensor& features, const FeatureStatistics& reference,
                                         const std::vector<int64_t>& bounds);

/// Two samplers on the same seeds. `difference` = a − b of the mean per-sample figure; `ratio` = RMSE(a)/RMSE(b) − 1
/// over all values: below 0 where a is better. Intervals by blocks of seeds, so that what a seed does to both cancels.
struct PairedComparison {
  Estimate difference;
  Estimate ratio;
  double share_better = 0;  ///< of samples where a is strictly better than b
};
/// Throws UsageError when the lengths differ.
[[nodiscard]] PairedComparison paired_comparison(const Tensor& a, const Tensor& b, const std::vector<int64_t>& bounds);

/// RMSE(a)/RMSE(b) − 1 from block values alone (as results files hold them): blocks of `n[i]` samples each.
[[nodiscard]] Estimate paired_ratio(const std::vector<double>& a, const std::vector<double>& b,
                                    const std::vector<int64_t>& n);

}  // namespace stride
