#include "datasets/metrics/frechet_limit.h"

#include "datasets/metrics/block_metric.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stride {
namespace {

constexpr int64_t kFewest = 8;

void require_enough(int64_t n, const FrechetLimitOptions& options) {
  if (n < kFewest)
    throw UsageError(fmt::format("{} samples are too few to extrapolate a Fréchet distance from; draw more", n));
  if (options.sizes < 2 || !(options.smallest > 0.0 && options.smallest < 1.0))
    throw UsageError(
        "the extrapolated Fréchet distance needs at least two sizes, the smallest a share between 0 and 1");
}

double limit_of(const Tensor& rows, const FrechetReference& reference, const FrechetLimitOptions& options) {
  const int64_t n = rows.size(0);
  const auto share = static_cast<int64_t>(std::ceil(options.smallest * static_cast<double>(n)));
  const int64_t smallest = std::max({share, std::min(2 * rows.size(1), n / 2), int64_t{2}});
  at::Generator generator = at::detail::createCPUGenerator(options.seed);
  std::vector<double> inverse, distance;
  for (int64_t i = 0; i < options.sizes; ++i) {
    const int64_t size = smallest + (n - smallest) * i / (options.sizes - 1);
    const Tensor subset = at::randperm(n, generator, at::kLong).narrow(0, 0, size);
    inverse.push_back(1.0 / static_cast<double>(size));
    distance.push_back(reference.distance(FeatureStatistics::of(rows.index_select(0, subset))));
  }
  return line_at_zero(inverse, distance);
}

}  // namespace

double line_at_zero(const std::vector<double>& x, const std::vector<double>& y) {
  const auto count = static_cast<double>(x.size());
  double mx = 0.0, my = 0.0;
  for (std::size_t i = 0; i < x.size() && x.size() == y.size(); ++i) {
    mx += x[i] / count;
    my += y[i] / count;
  }
  double sxx = 0.0, sxy = 0.0;
  for (std::size_t i = 0; i < x.size() && x.size() == y.size(); ++i) {
    sxx += (x[i] - mx) * (x[i] - mx);
    sxy += (x[i] - mx) * (y[i] - my);
  }
  if (!(sxx > 0.0)) throw UsageError("a line needs at least two different places");
  return my - sxy / sxx * mx;
}

double frechet_limit(const Tensor& features, const FeatureStatistics& reference, const FrechetLimitOptions& options) {
  if (features.dim() != 2) throw UsageError("the extrapolated Fréchet distance needs a table of features [N, F]");
  require_enough(features.size(0), options);
  return limit_of(features.to(at::kCPU, at::kDouble), FrechetReference(reference), options);
}

BlockMetric frechet_limit_metric(const Tensor& features, const FeatureStatistics& reference,
                                 const std::vector<int64_t>& bounds, const FrechetLimitOptions& options) {
  if (features.dim() != 2) throw UsageError("the extrapolated Fréchet distance needs a table of features [N, F]");
  require_enough(features.size(0), options);
  const Tensor all = features.to(at::kCPU, at::kDouble);
  const FrechetReference to(reference);
  return block_metric(
      bounds,
      [&](const Tensor& rows) {
        if (rows.size(0) < kFewest) return std::numeric_limits<double>::quiet_NaN();
        return limit_of(all.index_select(0, rows), to, options);
      },
      /*each_block=*/false);
}

}  // namespace stride
