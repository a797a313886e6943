// The PI controller by itself; the registry suite runs every solver with an error estimate under it.
#include "adaptive/control/pi_controller.h"

#include "framework/error.h"
#include "tests/solvers/fixtures.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <set>

namespace stride {
namespace {

using namespace fixtures;

RunResult adaptive(const Denoiser& model, const Solver& solver, const PiOptions& options, const Tensor& samples) {
  return run({model, solver, PhiloxNoise(), TimeGrid({80.0, options.end})}, PiController(options), samples);
}

/// Counts what torch's allocators hand out while it is installed.
struct Allocated final : c10::MemoryReportingInfoBase {
  void reportMemoryUsage(void* /*ptr*/, int64_t size, std::size_t /*allocated*/, std::size_t /*reserved*/,
                         c10::Device /*device*/) override {
    bytes += std::max<int64_t>(0, size);
  }
  [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }
  int64_t bytes = 0;
};

// The controller without its kernels.
class PlainPi final : public StepController {
 public:
  explicit PlainPi(const PiOptions& options) : pi_(options) {}
  [[nodiscard]] std::optional<int64_t> planned_steps() const noexcept override { return {}; }
  [[nodiscard]] double end() const noexcept override { return pi_.end(); }
  [[nodiscard]] bool final_zero() const noexcept override { return pi_.final_zero(); }
  [[nodiscard]] BatchState init(const RunConstant& constant, const Tensor& x, const Times& sigma) const override {
    return pi_.init(constant, x, sigma);
  }
  [[nodiscard]] Times propose(const RunState& state) const override { return pi_.propose_plain(state); }
  [[nodiscard]] Decision decide(const RunState& state, const Step& step, const StepResult& result,
                                const SolverTraits& traits) const override {
    return pi_.decide_plain(state, step, result, traits);
  }

 private:
  PiController pi_;
};

}  // namespace

TEST_CASE("pi: the error at the end is of the size of the absolute tolerance, which by default is alone", "[pi]") {
  REQUIRE(PiOptions().rtol == 0.0);
  const auto model = three_components();
  const Tensor exact = adaptive(*model, *make_solver("dopri5"), {.atol = 1e-9, .final_zero = false}, ids(64)).x;
  for (const char* name : {"heun", "bosh3", "dpm2", "dpmpp_singlestep", "dpmpp_singlestep:order=3", "res_2s"}) {
    const auto solver = make_solver(name);
    for (const double tolerance : {0.1, 0.01, 0.001}) {
      CAPTURE(name, tolerance);
      const RunResult result = adaptive(*model, *solver, {.atol = tolerance, .final_zero = false}, ids(64));
      CHECK(result.ok());
      const double error = (result.x - exact).square().mean().sqrt().item<double>();
      CHECK(error < 2.0 * tolerance);
      CHECK(error > 0.01 * tolerance);  // else most of the evaluations were for nothing
    }
  }
}

TEST_CASE("pi: the last jump is made once, for all rows in their order, whenever each of them ended", "[pi]") {
  const auto model = three_components();
  const auto solver = make_solver("heun");
  const PiOptions options{.atol = 0.01, .end = 0.05, .final_zero = true};
  std::set<int64_t> sizes;
  std::vector<Tensor> jumps;
  SampleOptions watched;
  watched.observer = [&](const RunState& before, const RunState&, const StepResult& step, bool last) {
    sizes.insert(before.batch());
    if (!last) return;
    CHECK(same_bits(before.constant.ids, ids(32)));
    jumps.push_back(step.denoised);
  };
  const RunResult result =
      run({*model, *solver, PhiloxNoise(), TimeGrid({80.0, options.end})}, PiController(options), ids(32), watched);
  REQUIRE(result.ok());
  CHECK(sizes.size() > 2);  // rows left on the way
  REQUIRE(jumps.size() == 1);
  CHECK(same_bits(result.x, jumps[0]));
  for (int64_t i = 0; i < 32; i += 7)
    CHECK(same_bits(adaptive(*model, *solver, options, ids(1, i)).x, result.x.narrow(0, i, 1)));
}

TEST_CASE("pi: the next step follows from this error and the last one", "[pi]") {
  const auto model = three_components();
  const auto solver = make_solver("heun");
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const PiOptions options{.rtol = 0.0, .atol = 0.5, .first_ratio = 2.0, .end = 0.05};
  const PiController controller(options);
  const TimeGrid ends({10.0, options.end});
  RunState state = start({*model, *solver, noise, ends}, controller, ids(4));
  const Problem problem{*model, flow, noise};
  Step step(problem, state.constant, state.sigma, controller.propose(state), state.index, state.draws);
  CHECK(step.to[0].item<double>() == Approx(5.0));
  StepResult result = solver->step(step, state.x, state.history);
  // E = error / atol in every value: 0.25, 4, and beyond the smallest and the largest factor.
  const double errors[] = {0.25, 4.0, 1e12, 1e-12};
  for (int64_t i = 0; i < 4; ++i) (*result.error)[i].fill_(options.atol * errors[i]);
  const Decision first = controller.decide(state, step, result, solver->traits());
  REQUIRE(*solver->traits().error_order == 2.0);
  const auto factor = [&](const Decision& decision, int64_t i) {
    return decision.memory[0][i].item<double>() / std::log(2.0);
  };
  CHECK(first.accept->to(at::kLong).equal(index({1, 0, 0, 1})));
  CHECK(factor(first, 0) == Approx(0.9 * std::pow(0.25, -0.5)));
  CHECK(factor(first, 1) == Approx(0.9 * std::pow(4.0, -0.5)));
  CHECK(factor(first, 2) == Approx(options.factor_min));
  CHECK(factor(first, 3) == Approx(options.factor_max));
  // Only an accepted error is remembered; the next step then is 0.9·E^(−1/2)·0.25^(0.4/2).
  CHECK(first.memory[1][0].item<double>() == Approx(0.25));
  CHECK(first.memory[1][1].item<double>() == 1.0);
  state.memory = first.memory;
  const Decision second = controller.decide(state, step, result, solver->traits());
  CHECK(factor(second, 0) == Approx(0.9 * std::pow(0.25, -0.5) * std::pow(0.25, 0.2)));
  CHECK(factor(second, 1) == Approx(0.9 * std::pow(4.0, -0.5)));
}

TEST_CASE("pi: without rtol the decision is the same bit for bit, without a look at the states", "[pi]") {
  const auto model = three_components();
  const auto solver = make_solver("heun");
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const PiOptions options{.rtol = 0.0, .atol = 0.07, .end = 0.05};
  PiOptions tiny = options;
  tiny.rtol = 1e-300;  // nothing is added to atol, but the states are looked at
  const PiController without(options), with(tiny);
  RunState state = start({*model, *solver, noise, TimeGrid({10.0, options.end})}, without, ids(64));
  const Problem problem{*model, flow, noise};
  Step step(problem, state.constant, state.sigma, without.propose(state), state.index, state.draws);
  StepResult result = solver->step(step, state.x, state.history);
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
    CAPTURE(at::toString(dtype));
    state.x = state.x.to(dtype);
    result.x = result.x.to(dtype);
    result.error = result.error->to(dtype);
    const auto decide = [&](const PiController& controller) {
      return controller.decide(state, step, result, solver->traits());
    };
    const Decision a = decide(without), b = decide(with);
    CHECK(a.accept->equal(*b.accept));
    CHECK(a.status->equal(*b.status));
    for (std::size_t slot = 0; slot < a.memory.size(); ++slot) CHECK(a.memory[slot].equal(b.memory[slot]));
  }
  // Five passes over the states less: what is left is the division, and its square in float64.
  state.x = at::ones({64, 4096}, state.x.options().dtype(at::kFloat));
  result.x = result.error.emplace(at::ones_like(state.x));
  const auto images = [&](const PiController& controller) {
    const auto allocated = std::make_shared<Allocated>();
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, allocated);
    (void)controller.decide(state, step, result, solver->traits());
    return static_cast<double>(allocated->bytes) / static_cast<double>(state.x.nbytes());
  };
  CHECK(images(without) == Approx(5.0).margin(0.2));
  CHECK(images(with) == Approx(10.0).margin(0.2));
}

TEST_CASE("pi: options that make no sense are refused", "[pi]") {
  CHECK_THROWS_WITH(PiController({.rtol = 0.0, .atol = 0.0}), contains("one of them positive"));
  CHECK_THROWS_WITH(PiController({.rtol = -0.1}), contains("rtol"));
  CHECK_THROWS_WITH(PiController({.safety = 1.0}), contains("safety"));
  CHECK_THROWS_WITH(PiController({.first_ratio = 1.0}), contains("first_ratio"));
}

TEST_CASE("pi: by kernels it decides as by ATen's operations", "[pi][cuda]") {
  REQUIRE(device().is_cuda());
  const auto model = three_components();
  const PhiloxNoise noise;
  for (const char* name : {"ralston", "dopri5", "heun"}) {
    const auto solver = make_solver(name);
    for (const double rtol : {0.0, 0.01}) {
      for (const double atol : {0.05, 1e-5}) {
        CAPTURE(name, rtol, atol);
        PiOptions options{.rtol = rtol, .atol = atol};
        const TimeGrid grid({80.0, options.end});
        const RunResult fast = run({*model, *solver, noise, grid}, PiController(options), ids(33));
        const RunResult plain = run({*model, *solver, noise, grid}, PlainPi(options), ids(33));
        CHECK(fast.ok());
        CHECK(fast.steps.equal(plain.steps));
        CHECK(fast.rejected.equal(plain.rejected));
        CHECK(fast.rejected.sum().item<int64_t>() + (atol > 1e-3 ? 1 : 0) > 0);
        CHECK(at::allclose(fast.x, plain.x, 1e-9, 1e-9));
      }
    }
  }
  // Rows that end otherwise: without a number, and without a step that is long enough.
  const auto solver = make_solver("ralston");
  const PiOptions strict{.atol = 1e-30, .min_log_step = 0.01};
  const TimeGrid grid({80.0, 0.002});
  RunState state = start({*model, *solver, noise, grid}, PiController(strict), ids(3));
  state.x = state.x.clone();
  state.x[1].fill_(std::numeric_limits<double>::quiet_NaN());
  const ProbabilityFlow term;
  const Problem problem{*model, term, noise};
  const RunResult fast = sample(problem, *solver, PiController(strict), state);
  CHECK(fast.status.equal(sample(problem, *solver, PlainPi(strict), state).status));
  CHECK(fast.status[0].item<int8_t>() == static_cast<int8_t>(Status::step_underflow));
  CHECK(fast.status[1].item<int8_t>() == static_cast<int8_t>(Status::non_finite));
}

}  // namespace stride
