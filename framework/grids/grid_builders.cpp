#include "framework/grids/grid_builders.h"

#include "framework/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace stride {

std::vector<double> unit_points(int64_t count) {
  std::vector<double> points(static_cast<std::size_t>(count), 0.0);
  for (int64_t i = 1; i < count; ++i)
    points[static_cast<std::size_t>(i)] = static_cast<double>(i) / static_cast<double>(count - 1);
  return points;
}

int64_t positive_levels(const GridRequest& request) { return request.steps + (request.final == Final::zero ? 0 : 1); }

std::vector<double> with_end(std::vector<double> positive, const GridRequest& request) {
  if (request.final == Final::zero) positive.push_back(0.0);
  return positive;
}

std::vector<double> replace_end(std::vector<double> levels, const GridRequest& request) {
  if (request.final == Final::zero) levels.back() = 0.0;
  return levels;
}

std::string read_variant(OptionReader& options, const std::string& grid, const std::vector<std::string>& known) {
  std::string variant = options.word("variant", known.front());
  if (std::find(known.begin(), known.end(), variant) == known.end())
    throw UsageError(
        fmt::format("schedule '{}': variant must be {}, not '{}'", grid, fmt::join(known, " or "), variant));
  return variant;
}

const NoiseSchedule& required_schedule(const GridRequest& request, const std::string& grid) {
  if (request.noise_schedule == nullptr)
    throw UsageError(fmt::format("schedule '{}' lives on timesteps: give `noise_schedule` {}", grid,
                                 fmt::join(noise_schedule_names(), ", ")));
  return *request.noise_schedule;
}

}  // namespace stride
