#include "solvers/checks/properties.h"

#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "solvers/checks/checked_run.h"
#include "solvers/checks/exact_flows.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <limits>
#include <map>

namespace stride {
namespace {

Tensor rows_of(const std::vector<int64_t>& rows, at::Device device) { return at::tensor(rows, at::kLong).to(device); }

TimeGrid karras(int64_t steps, Final final) {
  return make_grid(Spec::parse("karras"),
                   {.steps = steps, .sigma_min = 0.05, .sigma_max = 10.0, .final = final, .noise_schedule = nullptr});
}

// What a step must not change, at addresses of its own.
RunState deep_copy(const RunState& state) {
  std::map<std::string, Tensor> copy;
  for (const auto& [name, tensor] : state.tensors()) copy.emplace(name, tensor.clone());
  return RunState::from_tensors(copy);
}

// A solver on the mixture, from the ids' starts.
struct Bench {
  Bench(const Solver& solver, const PropertyRun& run, Final final = Final::zero)
      : model(mixture_of_three(3, run.device)), grid(karras(run.steps, final)), controller(grid), solver(solver) {}

  [[nodiscard]] CheckedRun setup() const { return {*model, solver, noise, grid}; }
  [[nodiscard]] Problem problem() const { return {*model, flow, noise}; }
  [[nodiscard]] Tensor end(const Tensor& ids) const { return checked_run(setup(), ids).x; }

  std::unique_ptr<GaussianMixture> model;
  PhiloxNoise noise;
  ProbabilityFlow flow;
  TimeGrid grid;
  FixedGrid controller;
  const Solver& solver;
};

Tensor ids_of(const PropertyRun& run, int64_t batch, int64_t first = 0) {
  return at::arange(first, first + batch, at::TensorOptions().dtype(at::kLong).device(run.device));
}

std::string selected_rows(const Bench& bench, const PropertyRun& run) {
  const Tensor whole = bench.end(ids_of(run, 6));
  const Tensor rows = rows_of({4, 1, 3}, run.device);
  for (int64_t cut = 0; cut < *bench.controller.planned_steps(); ++cut) {
    RunState state = checked_start(bench.setup(), ids_of(run, 6));
    const auto go = [&] { state = advance(bench.problem(), bench.solver, bench.controller, state); };
    for (int64_t i = 0; i < cut; ++i) go();
    state = state.select(rows);
    for (int64_t i = cut; i < *bench.controller.planned_steps(); ++i) go();
    if (!same_bits(finish(bench.problem(), bench.solver, state).x, whole.index_select(0, rows)))
      return fmt::format("rows that are selected after {} steps end otherwise", cut);
  }
  return "";
}

}  // namespace

std::string check_nfe(const Solver& solver, const PropertyRun& run) {
  const auto& claim = solver.traits().nfe;
  if (!claim) return "it does not say what its steps cost";
  for (const Final final : {Final::zero, Final::sigma_min}) {
    for (const int64_t steps : {int64_t{1}, int64_t{2}, run.steps}) {
      if (solver.traits().name == "plan" && steps != run.steps) continue;
      const Bench bench(solver, {run.device, steps}, final);
      const RunResult result = checked_run(bench.setup(), ids_of(run, 3));
      const int64_t wanted = claim(steps, final == Final::zero);
      if (!result.nfe.eq(wanted).all().item<bool>())
        return fmt::format("{} steps with `final` {} cost {} evaluations, and it claims {}", steps, to_string(final),
                           result.nfe.max().item<int64_t>(), wanted);
      const Tensor as_it_says =
          solver.traits().masked ? result.nfe.le(result.model_evals) : result.nfe.eq(result.model_evals);
      if (!as_it_says.all().item<bool>()) return "passes of the network are not its evaluations";
      if (!result.steps.eq(steps).all().item<bool>()) return "it did not take the steps of its grid";
    }
  }
  return "";
}

std::string check_purity(const Solver& solver, const PropertyRun& run) {
  const Bench bench(solver, run);
  RunState state = checked_start(bench.setup(), ids_of(run, 4));
  for (int64_t i = 0; i < std::min<int64_t>(4, *bench.controller.planned_steps()); ++i) {
    const RunState before = deep_copy(state);
    const RunState once = advance(bench.problem(), solver, bench.controller, state);
    if (!same_bits(state, before)) return fmt::format("step {} changes what it was given", i);
    if (!same_bits(once, advance(bench.problem(), solver, bench.controller, state)))
      return fmt::format("step {} gives another result when it is made again", i);
    state = once;
  }
  const RunState before = deep_copy(state);
  const RunState once = finish(bench.problem(), solver, state);
  if (!same_bits(state, before)) return "the jump to 0 changes what it was given";
  return same_bits(once, finish(bench.problem(), solver, state)) ? "" : "the jump to 0 gives another result again";
}

std::string check_batches(const Solver& solver, const PropertyRun& run) {
  const Bench bench(solver, run);
  const Tensor batch = bench.end(ids_of(run, 7));
  for (int64_t i = 0; i < 7; ++i)
    if (!same_bits(batch.narrow(0, i, 1), bench.end(ids_of(run, 1, i))))
      return fmt::format("sample {} of a batch of 7 is another one alone", i);
  const Tensor turned = rows_of({5, 2, 6, 0}, run.device);
  if (!same_bits(batch.index_select(0, turned), bench.end(turned))) return "the order of a batch changes its samples";
  return selected_rows(bench, run);
}

std::string check_nan(const Solver& solver, const PropertyRun& run) {
  const Bench bench(solver, run);
  const Tensor whole = bench.end(ids_of(run, 5));
  RunState state = checked_start(bench.setup(), ids_of(run, 5));
  state.x = state.x.clone();
  state.x[2].fill_(std::numeric_limits<double>::quiet_NaN());
  const RunResult result = sample(bench.problem(), solver, bench.controller, state);
  const Tensor others = rows_of({0, 1, 3, 4}, run.device);
  if (!same_bits(result.x.index_select(0, others), whole.index_select(0, others)))
    return "a NaN in one sample changes its neighbours";
  const Tensor wanted = rows_of({0, 0, 1, 0, 0}, run.device).to(at::kBool);
  return result.status.eq(static_cast<int8_t>(Status::non_finite)).equal(wanted) ? ""
                                                                                 : "a NaN is not that sample's status";
}

std::string check_dtypes(const Solver& solver, const PropertyRun& run) {
  const Bench bench(solver, run);
  RunState state = checked_start(bench.setup(), ids_of(run, 4), at::kFloat);
  for (int64_t i = 0; i < 3; ++i) state = advance(bench.problem(), solver, bench.controller, state);
  if (state.x.scalar_type() != at::kFloat) return "the state does not keep its dtype";
  const Tensor levels = at::tensor(bench.grid.sigmas(), at::kDouble).to(run.device);
  if (!same_bits(state.sigma, levels[3].expand({4}).contiguous())) return "noise levels do not stay float64";
  for (const Tensor& slot : state.history.slots())
    if (slot.sizes() == state.x.sizes() && slot.scalar_type() != at::kFloat)
      return "its memory does not keep the dtype";
  const Tensor exact = bench.end(ids_of(run, 4));
  const Tensor single = checked_run(bench.setup(), ids_of(run, 4), at::kFloat).x;
  const double error = (single - exact).abs().max().item<double>();
  return error < 2e-5 * bench.grid.start() ? "" : fmt::format("float32 is {:.2g} away from float64", error);
}

std::string check_noise(const Solver& solver, const PropertyRun& run) {
  const Bench bench(solver, run);
  const NoNoise none;
  const Problem silent{*bench.model, bench.flow, none};
  bool draws = false;
  try {
    (void)sample(silent, solver, bench.controller, checked_start(bench.setup(), ids_of(run, 2)));
  } catch (const UsageError&) {
    draws = true;
  }
  if (draws == solver.traits().stochastic) return "";
  return draws ? "it draws noise and does not say so" : "it says that it draws noise, and draws none";
}

}  // namespace stride
