// A store of a few small shards.
#pragma once

#include "datasets/store/trajectory_writer.h"
#include "tests/trajectory_content.h"

#include <string>
#include <vector>

namespace stride::testing {

/// Writes so that a shard has `rows` trajectories.
[[nodiscard]] inline WriterOptions shards_of(int64_t rows) {
  return {.shard_bytes = int64_t{1} << 20, .shard_rows = rows, .run_id = ""};
}

inline void record(const std::string& folder, const std::vector<int64_t>& seeds, const TrajectoryConfig& config,
                   int64_t rows = 4) {
  TrajectoryWriter writer(folder, config, shards_of(rows));
  (void)writer.append(trajectories_of(seeds, config));
  (void)writer.seal();
}

}  // namespace stride::testing
