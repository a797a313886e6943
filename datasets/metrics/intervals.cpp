#include "datasets/metrics/intervals.h"

#include "datasets/metrics/distributions.h"
#include "framework/error.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double jackknife_variance(const std::vector<double>& without) {
  const auto blocks = static_cast<double>(without.size());
  if (without.size() < 2) return kNan;
  double mean = 0.0;
  for (const double value : without) mean += value / blocks;
  double sum = 0.0;
  for (const double value : without) sum += (value - mean) * (value - mean);
  return (blocks - 1.0) / blocks * sum;
}

Estimate jackknife(double all, const std::vector<double>& without, double level) {
  if (without.size() < 2) return {all, kNan, kNan};
  const double half =
      student_t(level, static_cast<double>(without.size()) - 1.0) * std::sqrt(jackknife_variance(without));
  return {all, all - half, all + half};
}

Estimate mean_interval(const std::vector<double>& blocks, double level) {
  if (blocks.empty()) return {kNan, kNan, kNan};
  const auto count = static_cast<double>(blocks.size());
  double sum = 0.0;
  for (const double value : blocks) sum += value;
  std::vector<double> without;
  if (blocks.size() > 1) {
    for (const double value : blocks) without.push_back((sum - value) / (count - 1.0));
  }
  return jackknife(sum / count, without, level);
}

std::vector<int64_t> block_bounds(int64_t n, int64_t blocks) {
  if (blocks < 1 || blocks > n) {
    throw UsageError(
        fmt::format("{} samples cannot be split into {} blocks; give at least one seed a block", n, blocks));
  }
  std::vector<int64_t> bounds;
  for (int64_t i = 0; i <= blocks; ++i) bounds.push_back(n * i / blocks);
  return bounds;
}

double quantile(std::vector<double> values, double p) {
  if (values.empty() || std::any_of(values.begin(), values.end(), [](double v) { return std::isnan(v); })) return kNan;
  std::sort(values.begin(), values.end());
  const double place = std::clamp(p, 0.0, 1.0) * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(std::floor(place));
  const std::size_t above = std::min(below + 1, values.size() - 1);
  if (values[below] == values[above]) return values[below];
  return values[below] + (place - static_cast<double>(below)) * (values[above] - values[below]);
}

}  // namespace stride
