#include "adaptive/plan/plan_runs.h"

#include "adaptive/plan/compressed.h"
#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "framework/models/recorded_denoiser.h"
#include "framework/sample.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <fmt/format.h>
#include <algorithm>
#include <utility>

namespace stride {
namespace {

/// The parts of a run that all turned plans share.
class Machine final {
 public:
  Machine(const Plan& plan, const PlanInputs& inputs)
      : inputs_(inputs), grid_(plan.sigmas), controller_(grid_), solver_(make_plan_solver(plan)) {}

  [[nodiscard]] int64_t steps() const noexcept { return grid_.steps(); }
  [[nodiscard]] int window() const noexcept { return static_cast<int>(solver_->traits().history) + 1; }
  [[nodiscard]] const ModelInfo& info() const noexcept { return inputs_.denoiser.info(); }

  [[nodiscard]] RunState start(const Tensor& x, const BatchState& condition) const {
    const int64_t rows = x.size(0);
    const Tensor ids = at::arange(rows, x.options().dtype(at::kLong));
    return start_run(*solver_, controller_, {ids, condition, grid_.rows(rows, x.device()), {}}, x,
                     at::full({rows}, grid_.start(), x.options().dtype(at::kDouble)));
  }

  [[nodiscard]] Tensor run(const Tensor& x, const BatchState& condition) const {
    return sample({inputs_.denoiser, term_, noise_, inputs_.guidance}, *solver_, controller_, start(x, condition)).x;
  }

  [[nodiscard]] RunState step(const RunState& state, int64_t index, StepResult* seen = nullptr) const {
    return step({inputs_.denoiser, term_, noise_, inputs_.guidance}, state, index, seen);
  }

  /// A step whose evaluation is known: `denoised` `[B, …]`, guidance included.
  [[nodiscard]] RunState step_recorded(const RunState& state, int64_t index, const Tensor& denoised) const {
    const RecordedDenoiser recorded(info(), denoised);
    return step({recorded, term_, noise_, {}}, state, index, nullptr);
  }

 private:
  [[nodiscard]] RunState step(const Problem& problem, const RunState& state, int64_t index, StepResult* seen) const {
    return index < *controller_.planned_steps() ? advance(problem, *solver_, controller_, state, seen)
                                                : finish(problem, *solver_, state, seen);
  }

  const PlanInputs& inputs_;
  TimeGrid grid_;
  FixedGrid controller_;
  std::unique_ptr<Solver> solver_;
  ProbabilityFlow term_;
  NoNoise noise_;
};

/// A plan's own run, as its turned neighbours need it.
struct BaseRun {
  std::vector<RunState> before;  ///< before each step
  std::vector<Tensor> denoised;  ///< the evaluation of each step
  Tensor x;
};

BaseRun base_run(const Machine& machine, const PlanInputs& inputs) {
  BaseRun base;
  RunState state = machine.start(inputs.start, inputs.condition);
  for (int64_t i = 0; i < machine.steps(); ++i) {
    StepResult seen;
    RunState next = machine.step(state, i, &seen);
    base.before.push_back(std::move(state));
    base.denoised.push_back(seen.denoised);
    state = std::move(next);
  }
  base.x = state.x;
  return base;
}

/// Each entry of `rows` for `samples` neighbouring rows of the batch: float64 `[rows · samples, …]`.
Tensor spread(const std::vector<std::vector<double>>& rows, int64_t samples, const at::Device& device) {
  std::vector<Tensor> stacked;
  for (const std::vector<double>& row : rows) stacked.push_back(at::tensor(row, at::kDouble));
  return at::stack(stacked).to(device).repeat_interleave(samples, 0);
}

/// End points `[V · s, …]` of V turned plans that all differ from the base in step `first` for the first time.
Tensor run_turned(const Machine& machine, const BaseRun& base, const std::vector<Plan>& plans, int64_t first,
                  bool recorded) {
  const RunState& before = base.before.at(static_cast<std::size_t>(first));
  const int64_t samples = before.batch();
  const auto variants = static_cast<int64_t>(plans.size());
  const Tensor rows = at::arange(samples, before.index.options()).repeat({variants});
  std::vector<std::vector<double>> grids, params;
  for (const Plan& plan : plans) {
    grids.push_back(plan.sigmas);
    params.push_back(plan_params(plan, machine.window()));
  }
  RunState state = before.select(rows);
  state.constant.grid = spread(grids, samples, state.x.device());
  state.constant.params = spread(params, samples, state.x.device());
  int64_t index = first;
  if (recorded) {
    state =
        machine.step_recorded(state, index, base.denoised.at(static_cast<std::size_t>(index)).index_select(0, rows));
    ++index;
  }
  for (; index < machine.steps(); ++index) state = machine.step(state, index);
  return state.x;
}

void check(const PlanInputs& inputs, const PlanBatching& batching) {
  if (batching.rows < 1) throw UsageError("plan runs: rows must be at least 1");
  if (inputs.start.dim() < 2 || inputs.start.size(0) < 1)
    throw UsageError("plan runs: start must be [S, …] with at least one sample");
}

void poll(const PlanBatching& batching) {
  if (batching.stop && batching.stop()) throw PlanRunsStopped{};
}

/// Runs the plan in batches; `see` gets what is compared of each batch's end points, and its first sample's number.
int64_t run_batches(const Plan& plan, const PlanInputs& inputs, const PlanBatching& batching,
                    const std::function<void(const Tensor& compared, int64_t from)>& see) {
  check(inputs, batching);
  const Machine machine(plan, inputs);
  const int64_t samples = inputs.start.size(0);
  for (int64_t from = 0; from < samples; from += batching.rows) {
    poll(batching);
    const Tensor rows =
        at::arange(from, std::min(from + batching.rows, samples), inputs.start.options().dtype(at::kLong));
    see(inputs.compared(machine.run(inputs.start.index_select(0, rows), inputs.condition.select(rows))), from);
  }
  return samples * machine.steps();
}

}  // namespace

PlanEndpoints plan_endpoints(const Plan& plan, const PlanInputs& inputs, const PlanBatching& batching) {
  std::vector<Tensor> ends;
  const int64_t evaluations =
      run_batches(plan, inputs, batching, [&](const Tensor& x, int64_t /*from*/) { ends.push_back(x); });
  return {at::cat(ends), evaluations};
}

PlanDistances plan_distances(const Plan& plan, const PlanInputs& inputs, const Tensor& target,
                             const PlanBatching& batching) {
  std::vector<Tensor> squared;
  const int64_t evaluations = run_batches(plan, inputs, batching, [&](const Tensor& x, int64_t from) {
    squared.push_back(squared_distances(x, target.narrow(0, from, x.size(0))));
  });
  return {at::cat(squared), evaluations};
}

PlanDerivatives plan_derivatives(const PlanParameters& space, const Plan& plan, const PlanInputs& inputs,
                                 const PlanBatching& batching, double fd_step, Differences differences) {
  check(inputs, batching);
  const at::NoGradGuard no_grad;
  const int64_t samples = inputs.start.size(0);
  if (samples > batching.rows)
    throw UsageError(fmt::format("plan_derivatives: {} samples do not fit into batches of {}", samples, batching.rows));
  const Machine machine(plan, inputs);
  poll(batching);
  const BaseRun base = base_run(machine, inputs);
  PlanDerivatives out;
  out.x = inputs.compared(base.x);
  out.jacobian = at::empty({space.size(), samples, out.x.numel() / samples}, out.x.options());
  out.evaluations = samples * machine.steps();

  const bool central = differences == Differences::central;
  const int64_t runs = central ? 2 : 1;  // a column
  const auto most =
      static_cast<std::size_t>(std::max<int64_t>(1, batching.rows / (runs * samples)));  // columns per batch
  const std::vector<PlanColumn>& columns = space.columns();
  std::vector<bool> done(columns.size(), false);
  for (std::size_t head = 0; head < columns.size(); ++head) {
    if (done[head]) continue;
    const int64_t first = columns[head].first_step();
    const bool recorded = columns[head].keeps_first_evaluation();
    std::vector<int64_t> batch;
    std::vector<double> widths;
    std::vector<Plan> plans;
    for (std::size_t c = head; c < columns.size() && batch.size() < most; ++c) {
      if (done[c] || columns[c].first_step() != first || columns[c].keeps_first_evaluation() != recorded) continue;
      done[c] = true;
      const double turn = space.turn(plan, columns[c], fd_step);
      batch.push_back(static_cast<int64_t>(c));
      widths.push_back(static_cast<double>(runs) * turn);
      plans.push_back(space.turned(plan, columns[c], turn));
      if (central) plans.push_back(space.turned(plan, columns[c], -turn));
    }
    poll(batching);
    const auto turned = static_cast<int64_t>(plans.size());
    const Tensor ends = inputs.compared(run_turned(machine, base, plans, first, recorded)).view({turned, samples, -1});
    const Tensor other = central ? ends.slice(0, 1, turned, 2) : out.x.view({1, samples, -1});
    const Tensor width = per_sample(at::tensor(widths, at::kDouble).to(ends.device()), ends);
    // In place: another two tensors of this size would be the most that a fit holds.
    out.jacobian.index_copy_(0, at::tensor(batch, at::kLong).to(ends.device()),
                             ends.slice(0, 0, turned, runs).sub_(other).div_(width));
    out.evaluations += turned * samples * (machine.steps() - first - (recorded ? 1 : 0));
  }
  return out;
}

}  // namespace stride
