#include "framework/advance.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

// Adds what a step spent to the rows that ran (int64, 0 or 1).
void charge(RunState& next, const Tensor& ran, const StepCost& cost) {
  next.nfe = next.nfe + ran * (cost.spared ? cost.nfe - *cost.spared : at::full_like(ran, cost.nfe));
  next.model_evals = next.model_evals + ran * cost.model_evals;
  next.draws = next.draws + ran * cost.draws;
}

}  // namespace

RunState start_run(const Solver& solver, const StepController& controller, RunConstant constant, Tensor x,
                   Times sigma) {
  const Tensor zero = at::zeros({x.size(0)}, x.options().dtype(at::kLong));
  const bool planned = controller.planned_steps().has_value();
  const Status status = planned && *controller.planned_steps() == 0 ? Status::ok : Status::running;
  BatchState history = solver.init(x);
  BatchState memory = controller.init(constant, x, sigma);
  return {std::move(constant), std::move(x),
          std::move(sigma),    zero,
          zero.clone(),        at::full_like(zero, static_cast<int8_t>(status), zero.options().dtype(at::kChar)),
          zero.clone(),        zero.clone(),
          zero.clone(),        std::move(history),
          std::move(memory),   planned};
}

RunState advance(const Problem& problem, const Solver& solver, const StepController& controller, const RunState& state,
                 StepResult* seen) {
  const Tensor running = state.running();
  // Rows that ended are carried along: their step is made somewhere harmless and thrown away.
  const Times proposed = controller.propose(state);
  Step step(problem, state.constant, state.sigma,
            state.lockstep ? proposed : at::where(running, proposed, state.sigma * 0.5), state.index, state.draws);
  StepResult result = solver.step(step, state.x, state.history);
  const Decision decision = controller.decide(state, step, result, solver.traits());

  RunState next = state;
  const Tensor ran = running.to(at::kLong);
  charge(next, ran, step.cost());
  if (state.lockstep && !decision.accept) {
    next.x = result.x;
    next.sigma = step.to;
    next.history = result.history;
    next.memory = decision.memory;
    next.index = state.index + ran;
  } else {
    const Tensor accept = decision.accept ? running.logical_and(*decision.accept) : running;
    next.x = where_rows(accept, result.x, state.x);
    next.sigma = at::where(accept, step.to, state.sigma);
    next.history = BatchState::where(accept, result.history, state.history);
    next.memory = BatchState::where(running, decision.memory, state.memory);
    next.index = state.index + accept.to(at::kLong);
    next.rejected = state.rejected + running.logical_and(accept.logical_not()).to(at::kLong);
    next.lockstep = false;
  }
  if (decision.status) next.status = at::where(running, *decision.status, state.status);
  if (seen != nullptr) *seen = std::move(result);
  return next;
}

RunState finish(const Problem& problem, const Solver& solver, const RunState& state, StepResult* seen) {
  const Tensor rows = state.status == static_cast<int8_t>(Status::ok);
  Step step(problem, state.constant, state.sigma, at::zeros_like(state.sigma), state.index, state.draws);
  StepResult result = solver.finish(step, state.x, state.history);
  RunState next = state;
  const Tensor ran = rows.to(at::kLong);
  next.x = state.lockstep ? result.x : where_rows(rows, result.x, state.x);
  next.sigma = at::where(rows, step.to, state.sigma);
  next.index = state.index + ran;
  charge(next, ran, step.cost());
  if (seen != nullptr) *seen = std::move(result);
  return next;
}

}  // namespace stride
