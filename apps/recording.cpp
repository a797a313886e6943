#include "apps/recording.h"

#include "apps/trajectory_tap.h"

namespace stride {

Draws record_trajectories(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                          const std::vector<int64_t>& points, TrajectoryWriter& writer, const ProgressFn& progress,
                          const std::function<void(const std::vector<int64_t>&)>& durable) {
  const auto acknowledge = [&](const std::vector<int64_t>& seeds) {
    if (durable && !seeds.empty()) durable(seeds);
  };
  TrajectoryTap tap(points, sampler.grid.steps());
  DrawHooks hooks;
  hooks.progress = progress;
  hooks.observe = [&](const Tensor&) -> Observer {
    tap = TrajectoryTap(points, sampler.grid.steps());
    return [&tap](const RunState& before, const RunState& after, const StepResult& step, bool) {
      tap.see(before, after, step);
    };
  };
  hooks.chunk = [&](const Tensor& seeds, const RunResult& result) {
    acknowledge(writer.append(tap.batch(seeds, result)));
  };
  Draws draws = draw(sampler, denoiser, settings, hooks);
  acknowledge(writer.seal());
  return draws;
}

TrajectoryConfig trajectory_config(const ModelInfo& model, const Sampler& sampler, const std::vector<int64_t>& points,
                                   at::ScalarType store_dtype, std::map<std::string, std::string> settings) {
  TrajectoryConfig config;
  config.model_sha256 = model.sha256;
  config.solver = sampler.spec.solver;
  config.schedule = sampler.spec.schedule;
  config.final = to_string(sampler.spec.final);
  config.dtype = store_dtype;
  config.sample_shape = model.shape;
  config.steps = static_cast<int64_t>(points.size()) - 1;
  for (const int64_t point : points) config.sigmas.push_back(sampler.grid.sigmas().at(static_cast<std::size_t>(point)));
  config.settings = std::move(settings);
  return config;
}

}  // namespace stride
