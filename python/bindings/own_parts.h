// Solvers and policies that are written in Python, and objects of Stride's in the place of a name.
#pragma once

#include "pipeline/choices.h"

#include <pybind11/pybind11.h>

#include <memory>

namespace stride {

namespace py = pybind11;

/// What Python holds of a solver or policy: `body` is called at each step, under the GIL.
struct OwnSolver {
  std::shared_ptr<const Solver> solver;
};
struct OwnPolicy {
  PolicyChoice choice;
};

/// From `body.init(x)`, `body.step(step, x, memory)` and `body.finish(step, x, memory)`, of which it must have `step`.
/// `traits`: name, order, start_order, error_order, nfe (steps, final_zero), history, stochastic, capturable, options.
[[nodiscard]] OwnSolver make_own_solver(py::object body, const py::dict& traits);
/// From `body.init(x, sigma)`, `body.propose(state)` and `body.decide(state, step, result)`.
[[nodiscard]] OwnPolicy make_own_policy(py::object body, double end, bool final_zero);

/// A name, a Plan, or an OwnSolver; a name, a StepPredictor, or an OwnPolicy. Throws UsageError on anything else.
[[nodiscard]] SolverChoice own_solver(py::handle value, const char* name);
[[nodiscard]] PolicyChoice own_policy(py::handle value, const char* name);

}  // namespace stride
