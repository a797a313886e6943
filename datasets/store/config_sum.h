// Which kind of trajectories a store holds, in one word.
#pragma once

#include "datasets/store/trajectory.h"

#include <string>

namespace stride {

/// The checksum (XXH3-128) of all that a manifest says of its trajectories besides the shards.
[[nodiscard]] std::string config_sum(const TrajectoryConfig& config);

}  // namespace stride
