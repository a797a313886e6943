#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "framework/sample.h"
#include "solvers/registry.h"
#include "tests/adaptive/plan_fixture.h"

#include <atomic>

using namespace stride;
using namespace stride::test;

namespace {

/// Counts rows evaluated, behind everybody's back.
class Counting final : public Denoiser {
 public:
  explicit Counting(const Denoiser& inner) : inner_(inner) {}
  [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
    rows += x.size(0);
    largest = std::max<int64_t>(largest, x.size(0));
    return inner_.evaluate(x, sigma, condition);
  }
  mutable std::atomic<int64_t> rows = 0;
  mutable int64_t largest = 0;

 private:
  const Denoiser& inner_;
};

/// Differences of whole runs, one plan at a time: what the batched code must give.
Tensor plain_jacobian(const PlanParameters& space, const Plan& plan, const PlanInputs& inputs, double fd_step,
                      bool central) {
  std::vector<Tensor> columns;
  for (const PlanColumn& column : space.columns()) {
    const double h = space.turn(plan, column, fd_step);
    const Tensor up = plan_endpoints(space.turned(plan, column, h), inputs, {}).x;
    const Tensor down = plan_endpoints(space.turned(plan, column, central ? -h : 0.0), inputs, {}).x;
    columns.push_back((up - down).flatten(1) / (central ? 2.0 * h : h));
  }
  return at::stack(columns);
}

}  // namespace

TEST_CASE("plan runs: the end points at zero parameters are those of the solver ipndm", "[plan]") {
  const Final final = GENERATE(Final::zero, Final::sigma_min);
  const GaussianMixture model = plan_mixture();
  const PlanInputs inputs{model, {}, plan_start(0, 7), {}};
  const PlanParameters space({.nfe = 5, .final = final});
  const Tensor ends = plan_endpoints(space.plan(zeros(space)), inputs, {.rows = 3, .stop = {}}).x;

  const TimeGrid grid = make_grid(Spec::parse("karras"), {.steps = 5, .final = final});
  const FixedGrid controller(grid);
  const std::unique_ptr<Solver> ipndm = make_solver("ipndm");
  const RunState start = start_run(*ipndm, controller, {at::arange(7), {}, grid.rows(7, at::kCPU), {}}, inputs.start,
                                   at::full({7}, 80.0, at::kDouble));
  const RunResult result = sample({model, ProbabilityFlow(), NoNoise()}, *ipndm, controller, start);
  CHECK(difference(ends, result.x) <= 1e-10);
}

TEST_CASE("plan runs: batched turned plans give what each gives alone", "[plan]") {
  const Final final = GENERATE(Final::zero, Final::sigma_min);
  const bool guided = GENERATE(false, true);
  const int64_t rows = GENERATE(6, 1000);
  const bool central = GENERATE(true, false);
  CAPTURE(to_string(final), guided, rows, central);
  const GaussianMixture model = plan_mixture(guided);
  const int64_t samples = 5;
  const BatchState condition = guided ? BatchState({at::tensor({0, 1, 1, 0, 1}, at::kLong)}) : BatchState();
  const PlanInputs inputs{model, {.scale = guided ? 2.0 : 1.0}, plan_start(3, samples), condition};
  const PlanParameters space({.nfe = 5, .final = final});
  const Plan plan = space.plan(off_theory(space, 0.1));

  const PlanDerivatives runs = plan_derivatives(space, plan, inputs, {.rows = rows, .stop = {}}, 2e-3,
                                                central ? Differences::central : Differences::forward);
  CHECK(difference(runs.x, plan_endpoints(plan, inputs, {}).x) == 0.0);
  const Tensor expected = plain_jacobian(space, plan, inputs, 2e-3, central);
  CHECK(expected.abs().amin({0}).numel() > 0);
  CHECK(difference(runs.jacobian, expected) <= 1e-9 * expected.abs().max().item<double>());
  // Every column matters here, so that an empty one would be seen.
  CHECK(expected.flatten(1).abs().amax({1}).min().item<double>() > 1e-4);
}

TEST_CASE("plan runs: the evaluations they report are the ones made, and a prefix is not run twice", "[plan]") {
  const GaussianMixture mixture = plan_mixture();
  const Counting model(mixture);
  const PlanInputs inputs{model, {}, plan_start(0, 8), {}};
  const PlanParameters space({.nfe = 5, .final = Final::sigma_min});
  const PlanDerivatives runs =
      plan_derivatives(space, space.plan(zeros(space)), inputs, {.rows = 40, .stop = {}}, 2e-3);
  CHECK(runs.evaluations == model.rows);
  // The run itself; then twice each: scales 5 + 4 + 3 + 2 + 1, times 4 + 3 + 2 + 1, weights 1·4 + 2·3 + 3·2 + 4·1.
  CHECK(runs.evaluations == 8 * (5 + 2 * (15 + 10 + 20)));
  CHECK(model.largest <= 40);
}

TEST_CASE("plan runs: float32 differences are close to float64 ones", "[plan]") {
  const GaussianMixture model = plan_mixture();
  const PlanParameters space({.nfe = 5, .final = Final::zero});
  const Plan plan = space.plan(off_theory(space, 0.1));
  const PlanInputs wide{model, {}, plan_start(0, 64), {}};
  const PlanInputs narrow{model, {}, plan_start(0, 64, at::kFloat), {}};
  const Tensor expected = plan_derivatives(space, plan, wide, {}, 1e-4).jacobian.flatten(1);
  const Tensor seen = plan_derivatives(space, plan, narrow, {}, 2e-3).jacobian.to(at::kDouble).flatten(1);
  // What hardly moves an end point drowns in the rounding of float32, and may: it is small beside the rest.
  const Tensor size = expected.norm(2, {1});
  const Tensor relative = (seen - expected).norm(2, {1}) / (size + 1e-4 * size.max());
  CAPTURE(relative);
  CHECK(relative.max().item<double>() <= 0.02);
}

TEST_CASE("plan runs stop between batches and refuse misuse", "[plan]") {
  const GaussianMixture model = plan_mixture();
  const PlanInputs inputs{model, {}, plan_start(0, 8), {}};
  const PlanParameters space({.nfe = 3});
  const Plan plan = space.plan(zeros(space));
  int64_t polls = 0;
  const PlanBatching stopping{.rows = 16, .stop = [&] { return ++polls > 3; }};
  CHECK_THROWS_AS(plan_derivatives(space, plan, inputs, stopping, 2e-3), PlanRunsStopped);
  CHECK(polls == 4);
  CHECK_THROWS_AS(plan_derivatives(space, plan, inputs, {.rows = 4, .stop = {}}, 2e-3), UsageError);
  CHECK_THROWS_AS(plan_endpoints(plan, inputs, {.rows = 0, .stop = {}}), UsageError);
}

TEST_CASE("plan runs: what is compared of end points is differentiated, not they themselves", "[plan]") {
  const GaussianMixture model = plan_mixture();
  const EndPointMap sines = [](const Tensor& x) { return (3.0 * x.flatten(1).slice(1, 0, 5)).sin(); };
  const PlanInputs inputs{model, {}, plan_start(3, 5), {}, sines};
  const PlanParameters space({.nfe = 4});
  const Plan plan = space.plan(off_theory(space, 0.1));
  const PlanDerivatives runs = plan_derivatives(space, plan, inputs, {.rows = 30, .stop = {}}, 2e-3);
  CHECK(runs.x.sizes() == at::IntArrayRef({5, 5}));
  CHECK(difference(runs.x, plan_endpoints(plan, inputs, {}).x) == 0.0);
  const Tensor expected = plain_jacobian(space, plan, inputs, 2e-3, true);
  CHECK(difference(runs.jacobian, expected.view(runs.jacobian.sizes())) <= 1e-9 * expected.abs().max().item<double>());
}
