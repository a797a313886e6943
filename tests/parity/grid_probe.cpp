// Builds grids and noise schedules for the parity suite: grid_harness.py asks, and compares with the references.
//
//   stride_grid_probe REQUESTS.json     a list in, a list out on standard output
//
// A request is {"schedule", "steps", "final", "sigma_min", "sigma_max", "noise_schedule"} and gets {"sigmas",
// "timesteps"}; or {"noise_schedule", "at_sigmas", "at_timesteps"} without a schedule, which gets {"betas",
// "alphas_cumprod", "sigmas", "timesteps", "levels"}. {"list"} gets the names and variants that need a reference. An
// error becomes {"error"}.
#include "framework/error.h"
#include "framework/grids/time_grid.h"
#include "framework/grids/timestep_table.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <iostream>
#include <optional>

namespace stride {
namespace {

using nlohmann::json;
using Numbers = std::vector<double>;

json grid(const json& wanted, const NoiseSchedule* noise) {
  const GridRequest request{wanted.at("steps"), wanted.value("sigma_min", 0.002), wanted.value("sigma_max", 80.0),
                            parse_final(wanted.value("final", "zero")), noise};
  const TimeGrid grid = make_grid(Spec::parse(wanted.at("schedule")), request);
  json out{{"sigmas", grid.sigmas()}};
  if (noise == nullptr) return out;
  for (const double sigma : grid.sigmas()) out["timesteps"].push_back(noise->timestep(sigma));
  return out;
}

// Both ways through the schedule: one by one, and by the table for batches.
json noise_schedule(const json& wanted, const NoiseSchedule& noise) {
  json out{{"betas", noise.betas()}, {"alphas_cumprod", noise.alphas_cumprod()}, {"sigmas", noise.sigmas()}};
  for (const double t : wanted.value("at_timesteps", Numbers{})) out["levels"].push_back(noise.sigma(t));
  const Numbers asked = wanted.value("at_sigmas", Numbers{});
  for (const double sigma : asked) out["timesteps"].push_back(noise.timestep(sigma));
  if (!asked.empty()) {
    const Tensor batch = TimestepTable(noise, at::kCPU)(at::tensor(asked, at::kDouble));
    out["table"] = Numbers(batch.const_data_ptr<double>(), batch.const_data_ptr<double>() + batch.numel());
  }
  return out;
}

json listed() {
  json out{{"grids", json::array()}, {"noise_schedules", noise_schedule_names()}};
  for (const GridTraits& traits : grid_traits()) {
    if (traits.name == "custom") continue;
    out["grids"].push_back(traits.name);
    for (const std::string& options : traits.variants) out["grids"].push_back(traits.name + ":" + options);
  }
  return out;
}

json answer(const json& wanted) {
  if (wanted.contains("list")) return listed();
  std::optional<NoiseSchedule> noise;
  if (wanted.contains("noise_schedule")) noise = make_noise_schedule(Spec::parse(wanted.at("noise_schedule")));
  return wanted.contains("schedule") ? grid(wanted, noise ? &*noise : nullptr) : noise_schedule(wanted, noise.value());
}

int probe(const char* path) {
  std::ifstream file(path);
  json out = json::array();
  for (const json& wanted : json::parse(file)) {
    try {
      out.push_back(answer(wanted));
    } catch (const Error& error) {
      out.push_back({{"error", error.what()}});
    }
  }
  std::cout << out.dump() << '\n';
  return 0;
}

}  // namespace
}  // namespace stride

int main(int count, char** words) {
  if (count != 2) {
    std::cerr << "usage: stride_grid_probe REQUESTS.json\n";
    return 2;
  }
  return stride::probe(words[1]);
}
