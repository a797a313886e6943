// Trajectories of a sampler into a store: the work of `stride record`, used by the demo as well.
#pragma once

#include "datasets/store/async_writer.h"
#include "pipeline/draw.h"

#include <functional>
#include <string>
#include <vector>

namespace stride {

/// What was drawn, and how long sampling stood still for the store: until a place in the queue was free, and at the end
/// until everything was on the disk.
struct Recording {
  Draws draws;
  double seconds_waiting = 0.0;
};

/// Draws the seeds of `settings` and appends their trajectories at the grid's `points` to `writer`, on a thread of its
/// own while sampling goes on; seals what is pending at the end. `durable` hears of seeds once they are on the disk.
/// `progress` counts samples and may stop the work; what was drawn until then is written. Throws what the writer
/// throws.
[[nodiscard]] Recording record_trajectories(const Sampler& sampler, const Denoiser& denoiser,
                                            const DrawSettings& settings, const std::vector<int64_t>& points,
                                            TrajectoryWriter& writer, const ProgressFn& progress,
                                            const std::function<void(const Durable&)>& durable = {});

/// The seeds that rank `rank` of `ranks` records: every `ranks`-th of small blocks, so that each rank has its share of
/// what is left, whoever recorded the rest. A function of its arguments.
[[nodiscard]] std::vector<int64_t> share_of(const std::vector<int64_t>& seeds, int64_t rank, int64_t ranks);

/// One of several processes that share a record.
struct Ranks {
  int64_t rank = 0, count = 1;
};
/// "0/4". Throws UsageError, naming `where`.
[[nodiscard]] Ranks parse_ranks(const std::string& text, const std::string& where);

/// Those of `seeds` that neither this writer nor another of the same store has. Throws UsageError where the store holds
/// trajectories of another kind.
[[nodiscard]] std::vector<int64_t> missing_seeds(const std::vector<int64_t>& seeds, const TrajectoryWriter& writer,
                                                 const std::string& store);

/// What a store says of the conditions it was recorded under: dtype, and class, guidance and bounds where there are
/// any.
[[nodiscard]] std::map<std::string, std::string> store_settings(const DrawSettings& settings);

/// The description of such a store; `settings` is what else must agree when it is extended. A store_dtype of float64
/// means features in place of states.
[[nodiscard]] TrajectoryConfig trajectory_config(const ModelInfo& model, const Sampler& sampler,
                                                 const std::vector<int64_t>& points, at::ScalarType store_dtype,
                                                 std::map<std::string, std::string> settings);

}  // namespace stride
