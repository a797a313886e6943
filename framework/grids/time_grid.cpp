#include "framework/grids/time_grid.h"

#include "framework/error.h"
#include "framework/grids/flow_time.h"
#include "framework/grids/grid_builders.h"
#include "framework/grids/grid_part.h"
#include "framework/grids/number_list.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

enum class Listed { sigma, flow_t, timestep };

struct CustomOptions {
  std::string path;
  Listed as = Listed::sigma;
};

// Few-step models come with their levels as a list: noise levels, or flow times or timesteps, which have no end.
std::vector<double> custom_levels(const CustomOptions& options, const GridRequest& request) {
  std::vector<double> levels = read_numbers(options.path, "schedule");
  if (options.as == Listed::sigma) return levels;
  if (options.as == Listed::timestep) {
    const NoiseSchedule& schedule = required_schedule(request, "custom:as=timestep");
    for (double& level : levels) {
      if (!(level >= 0.0 && level <= static_cast<double>(schedule.size() - 1)))
        throw UsageError(fmt::format("schedule 'custom': timestep {} of {} is not in 0 ... {}", level, options.path,
                                     schedule.size() - 1));
      level = schedule.sigma(level);
    }
    return with_end(std::move(levels), request);
  }
  for (const double time : levels)
    if (!(time >= 0.0 && time <= 1.0))
      throw UsageError(fmt::format("schedule 'custom': flow time {} of {} is not in 0 ... 1", time, options.path));
  if (levels.front() == 1.0) levels.front() = flow_start(levels.size() > 1 ? levels[1] : 0.0);
  for (double& level : levels) level = flow_sigma(level);
  return levels.back() == 0.0 ? levels : with_end(std::move(levels), request);
}

GridRow custom_grid() {
  return grid_row<CustomOptions>(
      {.name = "custom", .summary = "levels from a file, used as they stand"},
      options<CustomOptions>(
          argument("FILE", &CustomOptions::path, "the file with the levels"),
          choice("as", &CustomOptions::as,
                 {{"sigma", Listed::sigma}, {"flow_t", Listed::flow_t}, {"timestep", Listed::timestep}},
                 "what the numbers are; flow times and timesteps end as `final` says")),
      custom_levels);
}

const std::vector<GridRow>& rows() {
  static const std::vector<GridRow> table = [] {
    std::vector<GridRow> all;
    for (const auto& family : {range_grids(), timestep_grids(), quantile_grids(), two_stage_grids(), flow_grids(),
                               table_grids(), diffusers_grids()})
      all.insert(all.end(), family.begin(), family.end());
    std::sort(all.begin(), all.end(), [](const GridRow& a, const GridRow& b) { return a.card.name < b.card.name; });
    all.push_back(custom_grid());
    return all;
  }();
  return table;
}

constexpr int64_t kMostSteps = 100'000;

void check_steps(int64_t steps) {
  if (steps < 1) throw UsageError(fmt::format("a grid needs at least 1 step, not {}", steps));
  if (steps > kMostSteps)
    throw UsageError(
        fmt::format("`steps` {} are too many: a grid has at most {}; give fewer `steps`", steps, kMostSteps));
}

void check_request(const GridRequest& request) {
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

// The option that every grid but `custom` takes: one level more, and the last but one left out.
bool takes_drop(Spec& spec) {
  const auto found = spec.options.find(kDropNextToLast);
  if (found == spec.options.end()) return false;
  const bool drop = flag_of(found->second, fmt::format("schedule '{}': {}", spec.name, kDropNextToLast));
  spec.options.erase(found);
  return drop;
}

std::vector<double> without_next_to_last(const Spec& spec, GridRequest request, const GridRow& row) {
  if (request.final != Final::zero)
    throw UsageError(
        fmt::format("schedule '{}': {} leaves out the level before the jump to 0, and `final` sigma_min "
                    "has no such jump",
                    spec.name, kDropNextToLast));
  ++request.steps;
  std::vector<double> levels = row.value(spec, request);
  if (levels.size() > 2) levels.erase(levels.end() - 2);
  return levels;
}

const GridRow& row_named(const std::string& name) {
  const auto& betas = noise_schedule_names();
  if (std::find(betas.begin(), betas.end(), name) != betas.end() && find_named(rows(), name) == nullptr)
    throw UsageError(fmt::format(
        "'{0}' is a noise schedule, not a grid: give `noise_schedule` {0} and a grid, such as `schedule` linspace",
        name));
  return named("schedule", name, rows());
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
  static const std::vector<GridTraits> all = cards_of(stride::rows());
  return all;
}

TimeGrid make_grid(const Spec& wanted, const GridRequest& request) {
  check_steps(request.steps);
  Spec spec = wanted;
  const GridRow& row = row_named(spec.name);
  if (row.card.name == "custom") return TimeGrid(row.value(spec, request));
  check_request(request);
  const std::optional<GridPart> part = take_grid_part(spec);
  std::vector<double> levels = takes_drop(spec) ? without_next_to_last(spec, request, row) : row.value(spec, request);
  if (part) levels = part_of(*part, std::move(levels), fmt::format("schedule '{}'", wanted.text()));
  return checked(spec, request, std::move(levels));
}

TimeGrid make_grid(const std::function<double(double)>& sigma, const GridRequest& request) {
  check_steps(request.steps);
  std::vector<double> levels;
  for (const double u : unit_points(positive_levels(request))) levels.push_back(sigma(u));
  return TimeGrid(with_end(std::move(levels), request));
}

}  // namespace stride
