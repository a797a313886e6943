#include "pipeline/grid_warnings.h"

#include "framework/error.h"
#include "solvers/hybrid.h"
#include "solvers/registry.h"

#include <fmt/format.h>

#include <cmath>

namespace stride {
namespace {

constexpr double kBeyond = 0.01;  // cards round the ends of their range

bool same(const TimeGrid& a, const TimeGrid& b, bool ends_only) {
  if (!ends_only) return a.sigmas() == b.sigmas();
  return a.start() == b.start() && a.end() == b.end() && a.final_zero() == b.final_zero();
}

// A grid that cannot be built is another one.
bool makes_the_same(const GridBuilder& build, const SamplerSpec& spec, const NoiseSchedule& timesteps,
                    const TimeGrid& grid, bool ends_only) {
  try {
    return same(build(spec, timesteps), grid, ends_only);
  } catch (const UsageError&) {
    return false;
  }
}

bool lives_on_timesteps(const SamplerSpec& spec) {
  if (spec.own_solver) return true;  // nobody knows
  try {
    is_hybrid(spec.solver) ? (void)make_hybrid(parse_hybrid(spec.solver)) : (void)make_solver(spec.solver);
    return false;
  } catch (const UsageError&) {
    return true;  // it was made before, with timesteps
  }
}

}  // namespace

std::vector<std::string> without_effect(const SamplerSpec& spec, const TimeGrid& grid, const NoiseSchedule& timesteps,
                                        bool ends_only, const GridBuilder& build) {
  std::vector<std::string> out;
  const std::string what = spec.sigmas.empty() ? fmt::format("the grid of `schedule` {}", spec.schedule) : "`sigmas`";
  SamplerSpec other = spec;
  if (spec.sigma_max && spec.sigmas.empty()) {
    other.sigma_max = *spec.sigma_max * 0.9;
    if (makes_the_same(build, other, timesteps, grid, ends_only))
      out.push_back(fmt::format("`sigma_max` {} has no effect: {} starts at {:.6g} by itself", *spec.sigma_max, what,
                                grid.start()));
  }
  other = spec;
  if (spec.sigma_min && spec.sigmas.empty()) {
    other.sigma_min = *spec.sigma_min * 1.1;
    if (makes_the_same(build, other, timesteps, grid, ends_only))
      out.push_back(fmt::format("`sigma_min` {} has no effect: {} has {:.6g} as its smallest level by itself",
                                *spec.sigma_min, what, grid.end()));
  }
  if (!spec.noise_schedule.empty()) {
    const auto name = Spec::parse(spec.noise_schedule).name;
    const NoiseSchedule another = make_noise_schedule(Spec::parse(name == "cosine" ? "linear" : "cosine"));
    if (makes_the_same(build, spec, another, grid, ends_only) && !lives_on_timesteps(spec))
      out.push_back(fmt::format("`noise_schedule` {} has no effect: neither {} nor {} lives on timesteps",
                                spec.noise_schedule, what, spec.solver));
  }
  return out;
}

std::vector<std::string> beyond_training(const TimeGrid& grid, const ModelInfo& model) {
  std::vector<std::string> out;
  if (model.kind == "gaussian_mixture") return out;
  if (grid.start() > model.sigma_max * (1.0 + kBeyond))
    out.push_back(
        fmt::format("the grid starts at the noise level {:.6g}, but '{}' was trained up to {:.6g} only: it "
                    "never saw what lies above",
                    grid.start(), model.name, model.sigma_max));
  if (grid.end() < model.sigma_min * (1.0 - kBeyond))
    out.push_back(
        fmt::format("the grid goes down to the noise level {:.6g}, but '{}' was trained down to {:.6g} only: "
                    "it never saw what lies below",
                    grid.end(), model.name, model.sigma_min));
  return out;
}

}  // namespace stride
