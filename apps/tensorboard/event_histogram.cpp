#include "apps/tensorboard/event_histogram.h"

#include "framework/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <limits>

namespace stride {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

void check(const std::vector<double>& limits) {
  for (std::size_t i = 0; i < limits.size(); ++i) {
    if (std::isfinite(limits[i]) && (i == 0 || limits[i] > limits[i - 1])) continue;
    throw UsageError(fmt::format("histogram: limit {} of {} is {}; give finite limits, each above the one before it",
                                 i + 1, limits.size(), limits[i]));
  }
}

// A run of empty buckets becomes one that ends where the run does.
void join_empty(EventHistogram& histogram) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < histogram.counts.size(); ++i) {
    const bool joins = kept > 0 && histogram.counts[i] == 0.0 && histogram.counts[kept - 1] == 0.0;
    if (!joins) ++kept;
    histogram.counts[kept - 1] = histogram.counts[i];
    histogram.limits[kept - 1] = histogram.limits[i];
  }
  histogram.counts.resize(kept);
  histogram.limits.resize(kept);
}

}  // namespace

std::vector<double> tensorboard_limits() {
  std::vector<double> positive;
  for (double edge = 1e-12; edge < 1e20; edge *= 1.1) positive.push_back(edge);
  std::vector<double> limits = {-kLargest};
  for (auto edge = positive.rbegin(); edge != positive.rend(); ++edge) limits.push_back(-*edge);
  limits.push_back(0.0);
  limits.insert(limits.end(), positive.begin(), positive.end());
  limits.push_back(kLargest);
  return limits;
}

EventHistogram count_buckets(std::span<const double> values, const std::vector<double>& limits) {
  check(limits);
  EventHistogram out;
  out.limits = limits.empty() ? tensorboard_limits() : limits;
  if (out.limits.back() < kLargest) out.limits.push_back(kLargest);
  out.counts.resize(out.limits.size());
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    out.min = out.count == 0.0 ? value : std::min(out.min, value);
    out.max = out.count == 0.0 ? value : std::max(out.max, value);
    out.count += 1.0;
    out.sum += value;
    out.sum_of_squares += value * value;
    // The largest double itself belongs to the last bucket.
    const auto above = std::upper_bound(out.limits.begin(), out.limits.end() - 1, value);
    out.counts[static_cast<std::size_t>(above - out.limits.begin())] += 1.0;
  }
  if (limits.empty()) join_empty(out);
  return out;
}

}  // namespace stride
