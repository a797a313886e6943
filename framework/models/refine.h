// Starting from an image in place of noise.
#pragma once

#include "framework/grids/time_grid.h"

namespace stride {

/// The part of `grid` that is run when an image is refined at `strength` in [0, 1]: its last min(⌊N·strength⌋, N) of N
/// intervals, diffusers' rule (its init_timestep). 1 is the whole grid. Throws UsageError on a strength outside [0, 1],
/// and on one that leaves no interval: there would be nothing to do.
[[nodiscard]] TimeGrid refine_grid(const TimeGrid& grid, double strength);

/// image + σ·noise: where refining starts, in EDM coordinates. `noise` holds unit normals `[B, …]`.
[[nodiscard]] Tensor noised(const Tensor& image, const Tensor& noise, const Times& sigma);

}  // namespace stride
