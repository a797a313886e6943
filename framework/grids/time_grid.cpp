#include "framework/grids/time_grid.h"

#include "framework/error.h"
#include "framework/grids/grid_builders.h"
#include "framework/grids/number_list.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

const std::vector<GridRow>& rows() {
  static const std::vector<GridRow> table = [] {
    std::vector<GridRow> all;
    for (const auto& family :
         {range_grids(), timestep_grids(), quantile_grids(), two_stage_grids(), flow_grids(), table_grids()})
      all.insert(all.end(), family.begin(), family.end());
    std::sort(all.begin(), all.end(), [](const GridRow& a, const GridRow& b) { return a.traits.name < b.traits.name; });
    return all;
  }();
  return table;
}

std::vector<std::string> all_names(const GridTraits& traits) {
  std::vector<std::string> names = traits.aliases;
  names.push_back(traits.name);
  return names;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void check_request(const GridRequest& request) {
  if (request.steps < 1) throw UsageError(fmt::format("a grid needs at least 1 step, not {}", request.steps));
  if (!(request.sigma_min > 0.0 && request.sigma_min < request.sigma_max && std::isfinite(request.sigma_max)))
    throw UsageError(
        fmt::format("grid: needs 0 < sigma_min < sigma_max, not {} and {}", request.sigma_min, request.sigma_max));
}

// A builder's levels, or an error that says which grid does not work out.
TimeGrid checked(const Spec& spec, const GridRequest& request, std::vector<double> sigmas) {
  try {
    return TimeGrid(std::move(sigmas));
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("schedule '{}' has no {} steps ({}); use fewer steps, or other options", spec.text(),
                                 request.steps, error.what()));
  }
}

[[noreturn]] void throw_unknown(const std::string& name) {
  std::vector<std::string> names{"custom"};
  for (const GridRow& row : rows())
    for (const std::string& known : all_names(row.traits)) names.push_back(known);
  if (contains(noise_schedule_names(), name))
    throw UsageError(fmt::format(
        "'{0}' is a noise schedule, not a grid: give `noise_schedule` {0} and a grid, such as `schedule` linspace",
        name));
  const std::string near = nearest(name, names);
  throw UsageError(fmt::format(
      "unknown schedule '{}'; {}", name,
      near.empty() ? fmt::format("there are {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near)));
}

}  // namespace

Final parse_final(const std::string& text) {
  if (text == "zero") return Final::zero;
  if (text == "sigma_min") return Final::sigma_min;
  throw UsageError(fmt::format("`final` must be zero or sigma_min, not '{}'", text));
}

const char* to_string(Final final) noexcept { return final == Final::zero ? "zero" : "sigma_min"; }

TimeGrid::TimeGrid(std::vector<double> sigmas) : sigmas_(std::move(sigmas)) {
  if (sigmas_.size() < 2)
    throw UsageError(fmt::format("a grid needs at least two noise levels, not {}", sigmas_.size()));
  for (std::size_t i = 0; i < sigmas_.size(); ++i) {
    if (!std::isfinite(sigmas_[i]) || sigmas_[i] < 0.0)
      throw UsageError(fmt::format("grid: level {} is {}; levels must be finite and at least 0", i, sigmas_[i]));
    if (i > 0 && sigmas_[i] >= sigmas_[i - 1])
      throw UsageError(fmt::format("grid: level {} ({}) is not below level {} ({}); levels must strictly decrease", i,
                                   sigmas_[i], i - 1, sigmas_[i - 1]));
  }
}

Tensor TimeGrid::rows(int64_t batch, const at::Device& device) const {
  return at::tensor(sigmas_, at::TensorOptions().dtype(at::kDouble)).to(device).unsqueeze(0).expand({batch, -1});
}

const std::vector<GridTraits>& grid_traits() {
  static const std::vector<GridTraits> all = [] {
    std::vector<GridTraits> traits;
    for (const GridRow& row : stride::rows()) traits.push_back(row.traits);
    traits.push_back({.name = "custom", .summary = "levels from a file, used as they stand", .options = "FILE"});
    return traits;
  }();
  return all;
}

TimeGrid make_grid(const Spec& spec, const GridRequest& request) {
  if (request.steps < 1) throw UsageError(fmt::format("a grid needs at least 1 step, not {}", request.steps));
  OptionReader options(spec, "schedule");
  if (spec.name == "custom") {
    const std::string path = options.argument("give the file with the levels: custom:FILE");
    options.done();
    return TimeGrid(read_numbers(path, "schedule"));
  }
  check_request(request);
  for (const GridRow& row : rows()) {
    if (!contains(all_names(row.traits), spec.name)) continue;
    std::vector<double> sigmas = row.build(options, request);
    options.done();
    return checked(spec, request, std::move(sigmas));
  }
  throw_unknown(spec.name);
}

TimeGrid make_grid(const std::function<double(double)>& sigma, const GridRequest& request) {
  if (request.steps < 1) throw UsageError(fmt::format("a grid needs at least 1 step, not {}", request.steps));
  std::vector<double> levels;
  for (const double u : unit_points(positive_levels(request))) levels.push_back(sigma(u));
  return TimeGrid(with_end(std::move(levels), request));
}

}  // namespace stride
