#include "framework/grids/grid_builders.h"

#include "framework/error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

GridRow grid_row(GridTraits traits, std::vector<double> (*build)(const GridRequest&)) {
  return entry_of<GridRow>("schedule", std::move(traits), options<NoOptions>(),
                           [build](const NoOptions&, const GridRequest& request) { return build(request); });
}

const NoiseSchedule& required_schedule(const GridRequest& request, const std::string& grid) {
  if (request.noise_schedule == nullptr)
    throw UsageError(fmt::format("schedule '{}' lives on timesteps: give `noise_schedule` {}", grid,
                                 fmt::join(noise_schedule_names(), ", ")));
  return *request.noise_schedule;
}

}  // namespace stride
