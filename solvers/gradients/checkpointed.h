// Steps of which autograd keeps only where they began.
#pragma once

#include "framework/run_state.h"

#include <functional>
#include <vector>

namespace stride {

/// A part of a run: pure, the same state in gives the same state out.
using RunPart = std::function<RunState(RunState)>;

/// The state after the `parts`, in their order, from `state`; backward runs them again. The parts are run with
/// gradients on both times, so that the network computes the same. `wanted` (wanted_tensors) are the tensors that the
/// parts use and gradients are wanted for; throws UsageError for others that require one.
[[nodiscard]] RunState checkpointed(const std::vector<RunPart>& parts, const RunState& state,
                                    const std::vector<Tensor>& wanted);

}  // namespace stride
