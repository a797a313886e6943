// The PID controller by itself; tests/parity compares whole runs with k-diffusion.
#include "adaptive/control/pid_controller.h"

#include "framework/error.h"
#include "tests/solvers/fixtures.h"

#include <cmath>

namespace stride {
namespace {

using namespace fixtures;

RunResult adaptive(const Denoiser& model, const Solver& solver, const PidOptions& options, const Tensor& samples,
                   bool compact = true) {
  return run({model, solver, PhiloxNoise(), TimeGrid({10.0, options.end})}, PidController(options), samples,
             {.compact = compact});
}

}  // namespace

TEST_CASE("pid: a sample's steps are its own, whatever the batch", "[pid]") {
  const auto model = three_components();
  const auto solver = make_solver("dpm_adaptive");
  const PidOptions options{.rtol = 0.01, .atol = 0.001, .pcoeff = 0.1, .dcoeff = 0.05, .end = 0.05};
  const RunResult batch = adaptive(*model, *solver, options, ids(16));
  CHECK(batch.ok());
  CHECK(batch.rejected.sum().item<int64_t>() > 0);
  CHECK(same_bits(batch.x, adaptive(*model, *solver, options, ids(16), false).x));
  for (int64_t i = 0; i < 16; ++i) {
    const RunResult alone = adaptive(*model, *solver, options, ids(1, i));
    CHECK(same_bits(batch.x.narrow(0, i, 1), alone.x));
    CHECK(same_bits(batch.nfe.narrow(0, i, 1), alone.nfe));
  }
}

TEST_CASE("pid: a smaller tolerance gives a smaller error", "[pid]") {
  const auto model = three_components();
  const auto exact =
      adaptive(*model, *make_solver("dpm_singlestep"), {.rtol = 1e-8, .atol = 1e-8, .end = 0.05}, ids(8)).x;
  for (const char* name : {"dpm_adaptive", "dpm_adaptive:order=2", "heun", "res_2s"}) {
    const auto solver = make_solver(name);
    const auto error = [&](double tolerance) {
      const PidOptions options{.rtol = tolerance, .atol = tolerance, .end = 0.05};
      return (adaptive(*model, *solver, options, ids(8)).x - exact).abs().max().item<double>();
    };
    CAPTURE(name);
    CHECK(error(1e-3) < 0.5 * error(1e-2));
    CHECK(error(1e-4) < 0.5 * error(1e-3));
  }
}

TEST_CASE("pid: a sample that is not a number ends as such, and its neighbours as they would", "[pid]") {
  const auto model = three_components();
  const auto solver = make_solver("dpm_adaptive");
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const PidController controller({.end = 0.05});
  const TimeGrid ends({10.0, 0.05});
  RunState state = start({*model, *solver, noise, ends}, controller, ids(4));
  const Tensor whole = sample({*model, flow, noise}, *solver, controller, state).x;
  state.x = state.x.clone();
  state.x[1].fill_(std::nan(""));
  state = start_run(*solver, controller, state.constant, state.x, state.sigma);
  const RunResult result = sample({*model, flow, noise}, *solver, controller, state);
  CHECK(result.status.to(at::kLong).equal(index({0, 3, 0, 0})));
  const Tensor others = index({0, 2, 3});
  CHECK(same_bits(result.x.index_select(0, others), whole.index_select(0, others)));
}

TEST_CASE("pid: an estimate that is infinite shortens the step by the limiter's smallest factor", "[pid]") {
  const auto model = three_components();
  const auto solver = make_solver("dpm_adaptive");
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const PidController controller({.h_init = 0.5, .end = 0.05});
  const TimeGrid ends({10.0, 0.05});
  RunState state = start({*model, *solver, noise, ends}, controller, ids(2));
  const Problem problem{*model, flow, noise};
  Step step(problem, state.constant, state.sigma, controller.propose(state), state.index, state.draws);
  StepResult result = solver->step(step, state.x, state.history);
  result.error = result.error->index_fill(0, index({1}), std::numeric_limits<double>::infinity());
  const Decision decision = controller.decide(state, step, result, solver->traits());
  const double smallest = 1.0 - std::atan(1.0);
  CHECK_FALSE((*decision.accept)[1].item<bool>());
  CHECK(decision.memory[0][1].item<double>() == Approx(0.5 * smallest));
  CHECK(decision.memory[1][1].item<double>() == 0.0);  // it leaves no trace in the errors
  CHECK(same_bits(decision.memory[3][1], state.x[1]));
}

TEST_CASE("pid: options and solvers that make no sense are refused", "[pid]") {
  CHECK_THROWS_WITH(PidController({.icoeff = 0.0}), contains("must be positive"));
  CHECK_THROWS_WITH(PidController({.accept_safety = 1.2}), contains("accept_safety"));
  CHECK_THROWS_WITH(PidController({.atol = 0.0}), contains("atol"));
  CHECK_THROWS_WITH(PidController({.h_init = -0.1}), contains("h_init"));
  const auto model = three_components();
  CHECK_THROWS_WITH(adaptive(*model, *make_solver("euler"), {.end = 0.05}, ids(2)), contains("policy 'pid'"));
}

}  // namespace stride
