#include "framework/models/refine.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace stride {
namespace {

// The smallest strength of few digits that leaves a step.
double least_strength(double steps) {
  const double unit = std::pow(10.0, std::ceil(std::log10(steps)) + 2.0);
  return std::ceil(unit / steps) / unit;
}

}  // namespace

TimeGrid refine_grid(const TimeGrid& grid, double strength) {
  if (!(strength >= 0.0 && strength <= 1.0))
    throw UsageError(fmt::format("the strength must lie in 0 … 1, not {}", strength));
  const auto steps = static_cast<double>(grid.steps());
  // 100 · 0.29 is 28.999999999999996 in binary: what lies within rounding of a whole number is that number.
  const double product = steps * strength;
  const auto kept = static_cast<int64_t>(std::floor(product * (1.0 + 2.0 * std::numeric_limits<double>::epsilon())));
  if (kept == 0)
    throw UsageError(
        fmt::format("a strength of {} leaves none of {} steps to run; give more steps, or a strength of at "
                    "least {}",
                    strength, grid.steps(), least_strength(steps)));
  return TimeGrid(std::vector<double>(grid.sigmas().end() - kept - 1, grid.sigmas().end()));
}

Tensor noised(const Tensor& image, const Tensor& noise, const Times& sigma) {
  return image + per_sample(sigma, noise) * noise;
}

}  // namespace stride
