#include "datasets/metrics/metrics.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> to_vector(const Tensor& values) {
  const Tensor flat = values.to(at::kCPU, at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

// `value(keep)` of the samples for which keep(i) holds, on all, on each block, and on all but each block.
template <class Value>
BlockMetric by_blocks(const std::vector<double>& samples, const std::vector<int64_t>& bounds, const Value& value) {
  BlockMetric out;
  std::vector<double> without;
  const auto blocks = bounds.size() - 1;
  for (std::size_t i = 0; i < blocks; ++i) {
    const auto begin = samples.begin() + bounds[i];
    const auto end = samples.begin() + bounds[i + 1];
    out.blocks.push_back(value(std::vector<double>(begin, end)));
    if (blocks < 2) continue;
    std::vector<double> rest(samples.begin(), begin);
    rest.insert(rest.end(), end, samples.end());
    without.push_back(value(rest));
  }
  out.all = jackknife(value(samples), without);
  return out;
}

double mean(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double root_mean_square(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

// √(Σ over blocks but `skip` of n·value² / Σ n).
double pooled(const std::vector<double>& values, const std::vector<int64_t>& n, std::size_t skip) {
  double sum = 0.0;
  double count = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i == skip) continue;
    sum += values[i] * values[i] * static_cast<double>(n[i]);
    count += static_cast<double>(n[i]);
  }
  return std::sqrt(sum / count);
}

}  // namespace

Tensor rmse_per_sample(const Tensor& x, const Tensor& reference) {
  if (x.sizes() != reference.sizes() || x.dim() < 1) {
    throw UsageError("RMSE needs two sets of samples of one shape; draw both from the same seeds and model");
  }
  const Tensor a = x.to(at::kCPU, at::kDouble);
  const Tensor b = reference.to(at::kCPU, at::kDouble);
  return (a - b).square().flatten(1).mean(1).sqrt();
}

BlockMetric overall_rmse(const Tensor& per_sample, const std::vector<int64_t>& bounds) {
  return by_blocks(to_vector(per_sample), bounds, root_mean_square);
}

BlockMetric sample_mean(const Tensor& per_sample, const std::vector<int64_t>& bounds) {
  return by_blocks(to_vector(per_sample), bounds, mean);
}

Tensor psnr_per_sample(const Tensor& rmse, double peak) {
  if (!(peak > 0.0)) throw UsageError("PSNR needs a peak above 0: the range of the values, 2 for images in [-1, 1]");
  return 20.0 * (peak / rmse.to(at::kDouble)).log10();
}

Tensor feature_distance_per_sample(const Tensor& features, const Tensor& reference) {
  if (features.sizes() != reference.sizes() || features.dim() != 2)
    throw UsageError("the feature distance needs the features of as many samples on either side");
  const Tensor a = features.to(at::kCPU, at::kDouble);
  const Tensor b = reference.to(at::kCPU, at::kDouble);
  return (a - b).square().sum(1).sqrt();
}

BlockMetric sample_quantile(const Tensor& per_sample, double p, const std::vector<int64_t>& bounds) {
  return by_blocks(to_vector(per_sample), bounds,
                   [p](const std::vector<double>& values) { return quantile(values, p); });
}

BlockMetric frechet_metric(const Tensor& features, const FeatureStatistics& reference,
                           const std::vector<int64_t>& bounds) {
  BlockMetric out;
  const auto blocks = bounds.size() - 1;
  const Tensor rows = features.to(at::kCPU, at::kDouble);
  const FrechetReference to(reference);
  const auto distance = [&](const Tensor& part) {
    return part.size(0) < 2 ? kNan : to.distance(FeatureStatistics::of(part));
  };
  std::vector<double> without;
  for (std::size_t i = 0; i < blocks; ++i) {
    const Tensor mine = rows.narrow(0, bounds[i], bounds[i + 1] - bounds[i]);
    out.blocks.push_back(distance(mine));
    if (blocks < 2) continue;
    const Tensor rest =
        at::cat({rows.narrow(0, 0, bounds[i]), rows.narrow(0, bounds[i + 1], rows.size(0) - bounds[i + 1])});
    without.push_back(distance(rest));
  }
  out.all = jackknife(to.distance(FeatureStatistics::of(rows)), without);
  return out;
}

PairedComparison paired_comparison(const Tensor& a, const Tensor& b, const std::vector<int64_t>& bounds) {
  if (a.sizes() != b.sizes()) throw UsageError("a paired comparison needs both samplers on the same seeds");
  PairedComparison out;
  out.difference = by_blocks(to_vector(a - b), bounds, mean).all;
  std::vector<int64_t> n;
  for (std::size_t i = 0; i + 1 < bounds.size(); ++i) n.push_back(bounds[i + 1] - bounds[i]);
  out.ratio = paired_ratio(overall_rmse(a, bounds).blocks, overall_rmse(b, bounds).blocks, n);
  out.share_better = (a < b).to(at::kDouble).mean().item<double>();
  return out;
}

Estimate paired_ratio(const std::vector<double>& a, const std::vector<double>& b, const std::vector<int64_t>& n) {
  if (a.size() != b.size() || a.size() != n.size() || a.empty()) {
    throw UsageError("a paired comparison needs the same blocks of seeds on both sides");
  }
  const auto ratio = [&](std::size_t skip) { return pooled(a, n, skip) / pooled(b, n, skip) - 1.0; };
  std::vector<double> without;
  if (a.size() > 1) {
    for (std::size_t i = 0; i < a.size(); ++i) without.push_back(ratio(i));
  }
  return jackknife(ratio(a.size()), without);
}

}  // namespace stride
