// Trajectories of a sampler into a store: the work of `stride record`, used by the demo as well.
#pragma once

#include "apps/sampling.h"
#include "datasets/trajectory_writer.h"

#include <functional>
#include <string>
#include <vector>

namespace stride {

/// Draws the seeds of `settings` and appends their trajectories at the grid's `points` to `writer`; seals what is
/// pending at the end. `durable` hears of seeds once they are on the disk. `progress` counts samples and may stop the
/// work.
[[nodiscard]] Draws record_trajectories(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                                        const std::vector<int64_t>& points, TrajectoryWriter& writer,
                                        const ProgressFn& progress,
                                        const std::function<void(const std::vector<int64_t>&)>& durable = {});

/// The description of such a store; `settings` is what else must agree when it is extended.
[[nodiscard]] TrajectoryConfig trajectory_config(const ModelInfo& model, const Sampler& sampler,
                                                 const std::vector<int64_t>& points, at::ScalarType store_dtype,
                                                 std::map<std::string, std::string> settings);

}  // namespace stride
