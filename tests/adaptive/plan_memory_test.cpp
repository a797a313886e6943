// What a fit takes: an estimate before it, and a limit that holds.
#include "adaptive/plan/plan_memory.h"

#include "adaptive/plan/plan_objective.h"
#include "framework/error.h"
#include "tests/adaptive/plan_fixture.h"

using namespace stride;
using namespace stride::test;

namespace {

constexpr int64_t kMega = int64_t{1} << 20;

/// Many features of few values: what makes Jacobians large.
EndPointMap many_features(int64_t count, at::ScalarType dtype) {
  const Tensor mix = (at::arange(8 * count, at::kDouble) * 0.37).sin().view({8, count}).to(dtype);
  return [mix](const Tensor& x) { return x.flatten(1).matmul(mix); };
}

PlanFitData samples(const GaussianMixture& model, int64_t first, int64_t count, at::ScalarType dtype) {
  const Tensor start = plan_start(first, count, dtype);
  const PlanParameters space({.nfe = 6, .final = Final::zero});
  return {start, plan_endpoints(space.plan(zeros(space)), {model, {}, start, {}}, {}).x, {}};
}

}  // namespace

TEST_CASE("plan memory: doubles take more than floats, and a limit on rows is kept", "[plan-memory]") {
  const GaussianMixture model = plan_mixture();
  const PlanParameters space({.nfe = 4});
  const auto memory = [&](at::ScalarType dtype) {
    return plan_memory(space, {model, {}, plan_start(0, 64, dtype), {}}, 0);
  };
  const PlanMemory wide = memory(at::kDouble), narrow = memory(at::kFloat);
  CHECK(wide.row >= 8 * 8 * 4);  // the state and what a history of three holds, at least
  CHECK(wide.row > narrow.row);
  CHECK(wide.sample > narrow.sample);
  CHECK(wide.parameters == 17);
  CHECK(wide.values == 8);
  for (const int64_t rows : {2, 10, 37}) CHECK(wide.rows_within(wide.bytes(rows), 1000) == rows);
  for (const int64_t rows : {10, 37}) CHECK(wide.rows_within(wide.bytes(rows) - 1, 1000) == rows - 1);
  CHECK(wide.rows_within(wide.bytes(10), 5) == 5);
  CHECK_THROWS_AS(wide.rows_within(wide.bytes(2) - 1, 1000), UsageError);
}

TEST_CASE("plan memory: derivatives of few samples at a time are those of all", "[plan-memory]") {
  const GaussianMixture model = plan_mixture();
  const PlanParameters space({.nfe = 4});
  const PlanInputs inputs{model, {}, plan_start(0, 30), {}, many_features(50, at::kDouble)};
  const Tensor target = at::zeros({30, 50}, at::kDouble);
  const auto normal = [&](int64_t rows) {
    PlanObjectiveOptions options;
    options.huber = 20.0;
    options.batching.rows = rows;
    return PlanObjective(space, inputs, target, options)(zeros(space), true).normal;
  };
  const NormalEquations all = normal(1024), few = normal(6);
  const auto difference = [](const std::vector<double>& a, const std::vector<double>& b) {
    const Tensor one = at::tensor(a, at::kDouble), other = at::tensor(b, at::kDouble);
    return ((one - other).norm() / other.norm()).item<double>();
  };
  CHECK(few.cost2 == Approx(all.cost2).epsilon(1e-12));
  CHECK(difference(few.gram, all.gram) < 1e-10);  // differences of runs, divided by the step
  CHECK(difference(few.g, all.g) < 1e-10);
}

TEST_CASE("plan memory: a fit stays within its limit, and uses it", "[plan-memory]") {
  const auto dtype = GENERATE(at::kFloat, at::kDouble);
  const auto differences = GENERATE(Differences::forward, Differences::central);
  const int64_t features = GENERATE(0, 3000);
  CAPTURE(at::toString(dtype), static_cast<int>(differences), features);
  const GaussianMixture model = plan_mixture();
  const PlanFitData train = samples(model, 0, 160, dtype), validation = samples(model, 500, 40, dtype);
  PlanFitOptions how;
  how.nfe = 4;
  how.starts = 1;
  how.ends = {Final::sigma_min};
  how.iterations = 1;
  how.differences = differences;
  if (features > 0) how.compare = many_features(features, dtype);
  how.memory = features > 0 ? 48 * kMega : kMega / 4;
  PlanFitResult fit;
  const auto peak = [&] { return peak_allocation([&] { fit = fit_plan(model, {}, train, validation, how); }); };
  const int64_t limited = peak();
  CHECK(limited <= how.memory);
  CHECK(limited >= how.memory / 3);
  const double rmse = fit.validation_after;
  how.memory = 0;
  CHECK(peak() > limited);
  CHECK(rmse == Approx(fit.validation_after).epsilon(dtype == at::kDouble ? 1e-6 : 0.02));
}

TEST_CASE("plan memory: a limit that holds nothing says what is needed", "[plan-memory]") {
  const GaussianMixture model = plan_mixture();
  const PlanFitData data = samples(model, 0, 8, at::kDouble);
  PlanFitOptions how;
  how.memory = 1024;
  try {
    (void)fit_plan(model, {}, data, data, how);
    FAIL("it ran");
  } catch (const UsageError& error) {
    const std::string what = error.what();
    CHECK(what.find("`fit_memory`: 1024 bytes do not hold two rows") != std::string::npos);
  }
}
