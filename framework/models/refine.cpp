#include "framework/models/refine.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

namespace stride {

TimeGrid refine_grid(const TimeGrid& grid, double strength) {
  if (!(strength >= 0.0 && strength <= 1.0))
    throw UsageError(fmt::format("the strength must lie in 0 … 1, not {}", strength));
  const int64_t kept = std::min(static_cast<int64_t>(static_cast<double>(grid.steps()) * strength), grid.steps());
  if (kept == 0)
    throw UsageError(fmt::format(
        "a strength of {} leaves none of {} steps to run; give more steps, or a strength of at least {:.3g}", strength,
        grid.steps(), 1.0 / static_cast<double>(grid.steps())));
  return TimeGrid(std::vector<double>(grid.sigmas().end() - kept - 1, grid.sigmas().end()));
}

Tensor noised(const Tensor& image, const Tensor& noise, const Times& sigma) {
  return image + per_sample(sigma, noise) * noise;
}

}  // namespace stride
