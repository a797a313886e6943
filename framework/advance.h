// One step, one function (design §2.1).
#pragma once

#include "framework/controller.h"

namespace stride {

/// Where a run starts: x at sigma `[B]`, nothing spent.
[[nodiscard]] RunState start_run(const Solver& solver, const StepController& controller, RunConstant constant, Tensor x,
                                 Times sigma);

/// Proposes, steps, decides and merges. Pure: no argument changes, and the same arguments give the same
/// state. Rows that no longer run keep everything they have. `seen`, where given, receives what the
/// solver returned (for observers and recording). Gradients flow through.
[[nodiscard]] RunState advance(const Problem& problem, const Solver& solver, const StepController& controller,
                               const RunState& state, StepResult* seen = nullptr);

/// The last jump, for every row of `state` that ended well: Solver::finish.
[[nodiscard]] RunState finish(const Problem& problem, const Solver& solver, const RunState& state,
                              StepResult* seen = nullptr);

}  // namespace stride
