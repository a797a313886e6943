#include "framework/advance.h"

#include <ATen/ATen.h>

namespace stride {

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
            state.lockstep ? proposed : at::where(running, proposed, state.sigma * 0.5), state.index, state.draws,
            state.least_index, state.lockstep);
  StepResult result = solver.step(step, state.x, state.history);
  const Decision decision = controller.decide(state, step, result, solver.traits());

  RunState next = state;
  const Tensor ran = running.to(at::kLong);
  next.nfe = state.nfe + ran * step.row_cost(&StepCost::nfe);
  next.model_evals = state.model_evals + ran * step.row_cost(&StepCost::model_evals);
  next.draws = state.draws + ran * step.row_cost(&StepCost::draws);
  if (state.lockstep && !decision.accept) {
    next.x = result.x;
    next.sigma = step.to;
    next.history = result.history;
    next.memory = decision.memory;
    next.index = state.index + ran;
    next.least_index = state.least_index + 1;
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
  Step step(problem, state.constant, state.sigma, at::zeros_like(state.sigma), state.index, state.draws,
            state.least_index);
  StepResult result = solver.finish(step, state.x, state.history);
  RunState next = state;
  const Tensor ran = rows.to(at::kLong);
  next.x = state.lockstep ? result.x : where_rows(rows, result.x, state.x);
  next.sigma = at::where(rows, step.to, state.sigma);
  next.index = state.index + ran;
  next.nfe = state.nfe + ran * step.row_cost(&StepCost::nfe);
  next.model_evals = state.model_evals + ran * step.row_cost(&StepCost::model_evals);
  next.draws = state.draws + ran * step.row_cost(&StepCost::draws);
  if (seen != nullptr) *seen = std::move(result);
  return next;
}

}  // namespace stride
