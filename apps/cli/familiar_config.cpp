#include "apps/cli/familiar_config.h"

#include "framework/error.h"
#include "framework/grids/noise_schedule.h"
#include "framework/spec.h"
#include "solvers/names.h"
#include "solvers/registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace stride {
namespace {

using Settings = std::map<std::string, std::string>;

std::string take(Settings& given, const std::vector<std::string>& keys, const std::string& where) {
  std::string value;
  for (const std::string& key : keys) {
    const auto found = given.find(key);
    if (found == given.end()) continue;
    if (!value.empty())
      throw UsageError(fmt::format("{}: '{}' and '{}' say the same thing; keep one", where, keys[0], key));
    value = found->second;
    given.erase(found);
  }
  return value;
}

bool names_betas(const std::string& schedule) {
  const std::vector<std::string>& names = noise_schedule_names();
  return std::find(names.begin(), names.end(), Spec::parse(schedule).name) != names.end();
}

void add_schedule(Settings& given, const std::string& said, const std::string& of_name, const std::string& where,
                  Settings& out) {
  const std::string spacing = take(given, {"timestep_spacing", "spacing"}, where);
  Spec betas;
  for (const auto& [key, option] : {std::pair{"beta_start", "beta_start"}, std::pair{"beta_end", "beta_end"},
                                    std::pair{"num_train_timesteps", "steps"}})
    if (const std::string value = take(given, {key}, where); !value.empty()) betas.options[option] = value;
  if (!said.empty() && names_betas(said)) {
    const Spec spec = Spec::parse(said);
    betas.name = spec.name;
    betas.options.insert(spec.options.begin(), spec.options.end());
    out["sampling.noise_schedule"] = betas.text();
    out["sampling.schedule"] = !spacing.empty() ? spacing : of_name.empty() ? "leading" : of_name;
    return;
  }
  if (!betas.options.empty() || !spacing.empty())
    throw UsageError(fmt::format("{}: a spacing or betas need \"schedule\" to name them, e.g. \"linear\"", where));
  if (!said.empty() && !of_name.empty() && folded_name(said) != of_name)
    throw UsageError(
        fmt::format("{}: the sampler's name says the schedule '{}', \"schedule\" says '{}'", where, of_name, said));
  if (!said.empty() || !of_name.empty()) out["sampling.schedule"] = said.empty() ? of_name : folded_name(said);
}

}  // namespace

std::map<std::string, std::string> familiar_settings(std::map<std::string, std::string> given,
                                                     const std::string& where) {
  Settings out;
  const SamplerName name = resolve_sampler_name(take(given, {"sampler"}, where));
  const std::string steps = take(given, {"steps"}, where);
  if (!steps.empty()) out["sampling.steps"] = steps;
  const std::string seeds = take(given, {"seeds", "seed"}, where);
  if (!seeds.empty()) out["run.seeds"] = seeds;
  add_schedule(given, take(given, {"schedule", "scheduler"}, where), name.schedule, where, out);
  Spec solver = Spec::parse(name.solver);
  for (const auto& [key, value] : given) {
    if (key.find('.') != std::string::npos)
      out[key] = value;
    else
      solver.options[key] = value;
  }
  out["sampling.solver"] = solver.text();
  return out;
}

}  // namespace stride
