#include "solvers/gradients/sample_with_gradients.h"

#include "framework/close_run.h"
#include "framework/error.h"
#include "solvers/gradients/checkpointed.h"
#include "solvers/gradients/reversed.h"
#include "solvers/gradients/wanted_tensors.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

namespace stride {
namespace {

constexpr const char* kReversible = "reversible_heun";

void check(const Problem& problem, const Solver& solver, const StepController& controller, const RunState& start) {
  if (const std::string reason = problem.guidance.invalid_reason(); !reason.empty()) throw UsageError(reason);
  if (problem.term.stochastic() && !solver.traits().integrates_sde)
    throw UsageError(
        "solver '" + solver.traits().name +
        "' integrates ODEs only, but the term is stochastic; use ProbabilityFlow, or a solver for SDEs such as euler");
  if (start.batch() == 0) throw UsageError("sample_with_gradients: the batch is empty; give at least one seed");
  if (!controller.planned_steps())
    throw UsageError("sample_with_gradients: the controller chooses its steps as it goes; use FixedGrid");
}

void check_reversible(const Problem& problem, const Solver& solver, const RunState& start) {
  if (solver.traits().name != kReversible)
    throw UsageError("sample_with_gradients: solver '" + solver.traits().name + "' cannot be run backwards; use " +
                     kReversible + ", or GradientMode::checkpointed");
  if (problem.term.stochastic())
    throw UsageError("sample_with_gradients: a stochastic term cannot be run backwards; use ProbabilityFlow");
  if (!start.lockstep || start.shared.index != 0)
    throw UsageError(
        "sample_with_gradients: a reversible run begins with start_run; this state is in the middle of one");
  if (start.constant.grid.requires_grad() || start.sigma.requires_grad())
    throw UsageError(
        "sample_with_gradients: a reversible run has no gradients of its grid; use GradientMode::checkpointed");
}

std::vector<RunPart> parts_of(const Problem& problem, const Solver& solver, const StepController& controller) {
  std::vector<RunPart> parts(
      static_cast<std::size_t>(*controller.planned_steps()),
      [problem, &solver, &controller](const RunState& state) { return advance(problem, solver, controller, state); });
  if (controller.final_zero())
    parts.emplace_back([problem, &solver](const RunState& state) { return finish(problem, solver, state); });
  return parts;
}

RunState plain_end(const std::vector<RunPart>& parts, RunState state) {
  for (const RunPart& part : parts) state = part(std::move(state));
  return state;
}

RunState checkpointed_end(const std::vector<RunPart>& parts, RunState state, const GradientOptions& options) {
  const std::vector<Tensor> wanted = wanted_tensors(state.constant, options.parameters);
  const auto length = options.segment > 0
                          ? static_cast<std::size_t>(options.segment)
                          : static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(parts.size()))));
  for (std::size_t first = 0; first < parts.size(); first += length) {
    const auto begin = parts.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = parts.begin() + static_cast<std::ptrdiff_t>(std::min(first + length, parts.size()));
    state = checkpointed({begin, end}, state, wanted);
  }
  return state;
}

}  // namespace

std::string GradientOptions::invalid_reason() const {
  if (segment < 0) return "GradientOptions: segment must be 0 (the square root of the number of steps) or more";
  for (const Tensor& parameter : parameters)
    if (!parameter.defined()) return "GradientOptions: parameters holds a tensor that is not defined";
  return {};
}

RunResult sample_with_gradients(const Problem& problem, const Solver& solver, const StepController& controller,
                                const RunState& start, const GradientOptions& options) {
  if (const std::string reason = options.invalid_reason(); !reason.empty()) throw UsageError(reason);
  check(problem, solver, controller, start);
  if (options.mode == GradientMode::reversible) check_reversible(problem, solver, start);
  const std::vector<RunPart> parts = parts_of(problem, solver, controller);
  if (!at::GradMode::is_enabled() || options.mode == GradientMode::plain || parts.empty())
    return close_run(plain_end(parts, start));
  if (options.mode == GradientMode::checkpointed) return close_run(checkpointed_end(parts, start, options));
  return close_run(
      reversed_run(problem, solver, controller, start, wanted_tensors(start.constant, options.parameters)));
}

Tensor rebuilt_start(const Problem& problem, const Solver& solver, const StepController& controller,
                     const RunState& start) {
  check(problem, solver, controller, start);
  check_reversible(problem, solver, start);
  if (*controller.planned_steps() == 0 && !controller.final_zero()) return start.x;
  return reversed_start(problem, solver, controller, start);
}

}  // namespace stride
