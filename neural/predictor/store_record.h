// What a trajectory store says of how its trajectories were made.
#pragma once

#include "datasets/store/trajectory.h"
#include "solvers/made_with.h"

namespace stride {

/// The record that belongs into what is trained on, or fitted to, such trajectories; without seeds. A store that says
/// nothing of class, guidance or bounds had none.
[[nodiscard]] MadeWith made_with_of(const TrajectoryConfig& config);

}  // namespace stride
