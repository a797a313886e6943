#include "pipeline/record.h"

#include "framework/error.h"
#include "pipeline/recording.h"
#include "pipeline/trajectory_tap.h"

#include <fmt/format.h>

namespace stride {
namespace {

at::ScalarType stored_as(const RecordSettings& keep) {
  if (keep.store_dtype != "float32" && keep.store_dtype != "float16")
    throw UsageError(fmt::format("`store_dtype` {}: there are float32 and float16", keep.store_dtype));
  if (keep.features_only) return at::kDouble;
  return keep.store_dtype == "float16" ? at::kHalf : at::kFloat;
}

}  // namespace

TrajectoryStore record(const ModelChoice& model, const SolverChoice& solver, const SampleSettings& settings,
                       const Seeds& seeds, const std::string& store, const RecordSettings& keep) {
  const Sampler sampler = make_sampler(model, solver, settings);
  if (!sampler.fixed())
    throw UsageError(fmt::format("`policy` {}: trajectories are recorded on a fixed grid", sampler.spec.policy));
  if (settings.init.defined() || settings.noise.defined() || settings.start.defined())
    throw UsageError("a store keeps runs from seeds: leave `init`, `noise` and `start` out");
  const DrawSettings all = draw_settings(model, settings, seeds);
  const auto points = parse_save_at(keep.save_at, sampler.grid.steps());
  const bool whole = static_cast<int64_t>(points.size()) > sampler.grid.steps();
  std::map<std::string, std::string> others = store_settings(all);
  others["term"] = settings.term;
  if (whole) others["save_at"] = "all";
  const TrajectoryConfig config = trajectory_config(model.info(), sampler, points, stored_as(keep), std::move(others));
  if (const std::string reason = config.invalid_reason(); !reason.empty()) throw UsageError(reason);
  WriterOptions writing;
  writing.shard_rows = keep.shard_rows;
  if (const std::string reason = writing.invalid_reason(); !reason.empty()) throw UsageError("`shard_rows`: " + reason);
  {
    TrajectoryWriter writer(store, config, writing);
    const DrawSettings rest = for_seeds(all, writer.missing(all.seeds));
    if (!rest.seeds.empty())
      (void)record_trajectories(sampler, model.denoiser(), rest, points, writer, settings.progress);
  }
  return TrajectoryStore(store);
}

}  // namespace stride
