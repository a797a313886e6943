#include "pipeline/timesteps.h"

namespace stride {
namespace {

// The number of timesteps of the flow model that a grid is made for; 0: its levels are no flow times.
int64_t flow_timesteps(const Spec& grid) {
  const auto option = [&](const char* key) {
    const auto found = grid.options.find(key);
    return found == grid.options.end() ? std::string() : found->second;
  };
  const bool flow = grid.name == "flow" || grid.name.starts_with("flow_match") || grid.name.starts_with("FlowMatch") ||
                    (!option("flow").empty() && option("flow") != "none") || option("variant") == "flow" ||
                    option("variant") == "res4lyf";
  if (!flow) return 0;
  constexpr int64_t kUsual = 1000;
  const std::string said = option("timesteps");
  return said.empty() ? kUsual : parse_integer(said, "timesteps");
}

}  // namespace

std::vector<double> timesteps_of(const Sampler& sampler, const ModelCard* card) {
  const SamplerSpec& spec = sampler.spec;
  const bool named = !spec.noise_schedule.empty() || (card != nullptr && card->noise_schedule);
  const int64_t flow = named ? 0 : flow_timesteps(Spec::parse(spec.schedule));
  std::vector<double> out;
  if (flow > 0) {
    for (const double sigma : sampler.grid.sigmas()) out.push_back(static_cast<double>(flow) * sigma / (1.0 + sigma));
    return out;
  }
  const NoiseSchedule schedule = noise_schedule_of(spec, card);
  for (const double sigma : sampler.grid.sigmas()) out.push_back(schedule.timestep(sigma));
  return out;
}

}  // namespace stride
