#include "datasets/metrics/intervals.h"

#include "framework/error.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kPi = 3.14159265358979323846;

// P(|T| ≤ t), Abramowitz & Stegun 26.7.3 (odd degrees) and 26.7.4 (even degrees).
double central_probability(double t, int64_t degrees) {
  const double theta = std::atan(t / std::sqrt(static_cast<double>(degrees)));
  const double c = std::cos(theta);
  const double s = std::sin(theta);
  double term = degrees % 2 == 1 ? c : 1.0;
  double sum = degrees == 1 ? 0.0 : term;
  for (int64_t k = degrees % 2 == 1 ? 3 : 2; k < degrees; k += 2) {
    term *= c * c * static_cast<double>(k - 1) / static_cast<double>(k);
    sum += term;
  }
  return degrees % 2 == 1 ? 2.0 / kPi * (theta + s * sum) : s * sum;
}

}  // namespace

double student_t(double level, int64_t degrees) {
  if (!(level > 0.0 && level < 1.0) || degrees < 1) {
    throw UsageError(
        fmt::format("Student's t needs 0 < level < 1 and at least one degree of freedom; got level {} and {} "
                    "degrees",
                    level, degrees));
  }
  double low = 0.0;
  double high = 1.0;
  while (central_probability(high, degrees) < level) high *= 2.0;
  for (int i = 0; i < 200 && high - low > 1e-15 * high; ++i) {
    const double middle = 0.5 * (low + high);
    (central_probability(middle, degrees) < level ? low : high) = middle;
  }
  return 0.5 * (low + high);
}

Estimate jackknife(double all, const std::vector<double>& without, double level) {
  const auto blocks = static_cast<double>(without.size());
  if (without.size() < 2) return {all, kNan, kNan};
  double mean = 0.0;
  for (const double value : without) mean += value / blocks;
  double sum = 0.0;
  for (const double value : without) sum += (value - mean) * (value - mean);
  const double half =
      student_t(level, static_cast<int64_t>(without.size()) - 1) * std::sqrt((blocks - 1.0) / blocks * sum);
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
