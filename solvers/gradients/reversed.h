// A run of the reversible Heun method whose backward pass works out each state from the one after it.
#pragma once

#include "framework/sample.h"

#include <vector>

namespace stride {

/// The end of the run of `start` under `reversible_heun`, with the gradients of Kidger et al. 2021 (arXiv:2105.13493),
/// alg. 2, with respect to start.x and to `wanted` (wanted_tensors). Kept are four tensors of the size of x, and the
/// levels. `start` is one of start_run, `controller` plans its steps.
[[nodiscard]] RunState reversed_run(const Problem& problem, const Solver& solver, const StepController& controller,
                                    const RunState& start, const std::vector<Tensor>& wanted);

/// start.x, rebuilt from the end.
[[nodiscard]] Tensor reversed_start(const Problem& problem, const Solver& solver, const StepController& controller,
                                    const RunState& start);

}  // namespace stride
