#include "framework/advance.h"

#include <ATen/ATen.h>

#include <array>

namespace stride {
namespace {

constexpr int64_t kNumbers = 1024;  // a count above it takes a kernel

/// A count of the run: in its rows, as the host knows it, and in what a step spent.
struct Count {
  Tensor RunState::*rows;
  std::optional<int64_t> SharedCounts::*shared;
  int64_t StepCost::*spent;
};
constexpr std::array kCounts{Count{&RunState::nfe, &SharedCounts::nfe, &StepCost::nfe},
                             Count{&RunState::model_evals, &SharedCounts::model_evals, &StepCost::model_evals},
                             Count{&RunState::draws, &SharedCounts::draws, &StepCost::draws}};

// Adds what `step` spent in the rows `ran` (bool `[B]`).
void charge(RunState& next, const Step& step, const Tensor& ran) {
  const Tensor counted = ran.to(at::kLong);
  for (const Count& count : kCounts) {
    next.*count.rows = next.*count.rows + counted * step.row_cost(count.spent);
    (next.shared.*count.shared).reset();
  }
}

// The same in lockstep, where every row ran.
void charge_all(RunState& next, const Step& step) {
  for (const Count& count : kCounts) {
    std::optional<int64_t>& shared = next.shared.*count.shared;
    const std::optional<int64_t> spent = step.common_cost(count.spent);
    if (!spent) {
      next.*count.rows = next.*count.rows + step.row_cost(count.spent);
      shared.reset();
    } else if (*spent != 0) {
      if (shared) *shared += *spent;
      next.*count.rows = shared ? next.everywhere(*shared) : next.*count.rows + *spent;
    }
  }
}

// One step more in every row.
void count_step(RunState& next) {
  ++next.least_index;
  if (next.shared.index) ++*next.shared.index;
  next.index = next.shared.index ? next.everywhere(*next.shared.index) : next.index + 1;
}

}  // namespace

RunState start_run(const Solver& solver, const StepController& controller, RunConstant constant, Tensor x,
                   Times sigma) {
  RunState state;
  state.numbers = at::arange(kNumbers, x.options().dtype(at::kLong));
  // A grid that gradients are wanted for would carry the infinities of unused entries into them.
  constant.coefficients.reset();
  if (controller.on_grid() && !constant.grid.requires_grad())
    constant.coefficients = solver.coefficients(constant.grid);
  state.history = solver.init(x);
  state.memory = controller.init(constant, x, sigma);
  state.constant = std::move(constant);
  state.x = std::move(x);
  state.sigma = std::move(sigma);
  for (Tensor* count : {&state.index, &state.rejected, &state.nfe, &state.model_evals, &state.draws})
    *count = state.everywhere(0);
  const std::optional<int64_t> planned = controller.planned_steps();
  const Status status = planned == 0 ? Status::ok : Status::running;
  state.unsolved = at::zeros({state.batch()}, state.x.options().dtype(at::kBool));
  state.status = at::full({state.batch()}, static_cast<int8_t>(status), state.x.options().dtype(at::kChar));
  state.lockstep = planned.has_value();
  if (state.lockstep) state.shared = {0, 0, 0, 0};
  return state;
}

RunState advance(const Problem& problem, const Solver& solver, const StepController& controller, const RunState& state,
                 StepResult* seen) {
  // Rows that ended are carried along: their step is made somewhere harmless and thrown away.
  const Times proposed = controller.propose(state);
  Step step(problem, state.constant, state.sigma,
            state.lockstep ? proposed : at::where(state.running(), proposed, state.sigma * 0.5), state.index,
            state.draws, state.least_index, state.shared.index.has_value());
  StepResult result = solver.step(step, state.x, state.history);
  const Decision decision = controller.decide(state, step, result, solver.traits());

  RunState next = state;
  if (state.lockstep && !decision.accept) {
    charge_all(next, step);
    count_step(next);
    next.x = result.x;
    next.sigma = step.to;
    next.history = result.history;
    next.memory = decision.memory;
    if (result.changes) next.unsolved = state.unsolved.logical_or(unsolved(*result.changes, result.x));
    if (decision.status) next.status = *decision.status;
  } else {
    const Tensor running = state.running();
    const Tensor accept = decision.accept ? running.logical_and(*decision.accept) : running;
    charge(next, step, running);
    next.x = where_rows(accept, result.x, state.x);
    next.sigma = at::where(accept, step.to, state.sigma);
    next.history = BatchState::where(accept, result.history, state.history);
    next.memory = BatchState::where(running, decision.memory, state.memory);
    next.index = state.index + accept.to(at::kLong);
    if (result.changes)
      next.unsolved = state.unsolved.logical_or(unsolved(*result.changes, result.x).logical_and(accept));
    next.rejected = state.rejected + running.logical_and(accept.logical_not()).to(at::kLong);
    next.lockstep = false;
    next.shared = {};
    if (decision.status) next.status = at::where(running, *decision.status, state.status);
  }
  if (seen != nullptr) *seen = std::move(result);
  return next;
}

RunState finish(const Problem& problem, const Solver& solver, const RunState& state, StepResult* seen) {
  Step step(problem, state.constant, state.sigma, at::zeros_like(state.sigma), state.index, state.draws,
            state.least_index, state.shared.index.has_value());
  StepResult result = solver.finish(step, state.x, state.history);
  RunState next = state;
  if (state.lockstep) {
    charge_all(next, step);
    count_step(next);
    next.x = result.x;
    next.sigma = step.to;
  } else {
    const Tensor rows = state.status == static_cast<int8_t>(Status::ok);
    charge(next, step, rows);
    next.x = where_rows(rows, result.x, state.x);
    next.sigma = at::where(rows, step.to, state.sigma);
    next.index = state.index + rows.to(at::kLong);
  }
  if (seen != nullptr) *seen = std::move(result);
  return next;
}

}  // namespace stride
