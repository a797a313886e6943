// One way to run a solver on a fixed grid, for checks and tests.
#pragma once

#include "framework/grids/time_grid.h"
#include "framework/sample.h"

namespace stride {

struct CheckedRun {
  const Denoiser& denoiser;
  const Solver& solver;
  const NoiseSource& noise;
  const TimeGrid& grid;
};

/// The start: unit normals of the ids (int64 `[B]`, on the device of the run) times the first level; labels are the
/// ids' parity.
[[nodiscard]] RunState checked_start(const CheckedRun& setup, const Tensor& ids, at::ScalarType dtype = at::kDouble);
/// From there to the end of the grid.
[[nodiscard]] RunResult checked_run(const CheckedRun& setup, const Tensor& ids, at::ScalarType dtype = at::kDouble,
                                    const SampleOptions& options = {});

/// Bit for bit, NaN equal to NaN.
[[nodiscard]] bool same_bits(const Tensor& a, const Tensor& b);
[[nodiscard]] bool same_bits(const RunState& a, const RunState& b);

}  // namespace stride
