#include "framework/error.h"
#include "tests/adaptive/plan_fixture.h"

#include <nlohmann/json.hpp>

using namespace stride;
using namespace stride::test;

namespace {

PlanFitData data(const Denoiser& model, int64_t first_seed, int64_t count) {
  const Tensor start = plan_start(first_seed, count);
  return {start, teacher_ends(model, start), {}};
}

PlanFitOptions options(int64_t nfe) {
  PlanFitOptions options;
  options.nfe = nfe;
  return options;
}

double fitted_rmse(const Denoiser& model, const Plan& plan, const PlanFitData& where) {
  return end_point_rmse(plan_endpoints(plan, {model, {}, where.start, where.condition}, {}).x, where.target);
}

}  // namespace

TEST_CASE("plan fit recovers a known plan from its own end points", "[plan-fit]") {
  const Final final = GENERATE(Final::zero, Final::sigma_min);
  // A smooth problem: on a rough one the same end points have other plans nearby, and LM may find those.
  const GaussianMixture model = plan_mixture(false, 4.0);
  const PlanParameters space({.nfe = 3, .final = final, .sigma_min = 0.3, .sigma_max = 5.0});
  const std::vector<double> truth = off_theory(space, 0.08);
  const Plan known = space.plan(truth);
  const auto from = [&](int64_t seed, int64_t count) {
    const Tensor start = plan_start(seed, count, at::kDouble, 5.0);
    return PlanFitData{start, plan_endpoints(known, {model, {}, start, {}}, {}).x, {}};
  };
  PlanFitOptions how = options(3);
  how.ends = {final};
  how.sigma_min = 0.3;
  how.sigma_max = 5.0;
  how.starts = 1;
  how.iterations = 40;
  how.fd_step = 2e-4;
  how.weight_prior = how.scale_prior = 0.0;
  const PlanFitData held_out = from(1000, 64);
  const PlanFitResult fit = fit_plan(model, {}, from(0, 96), held_out, how);
  CAPTURE(fit.validation_before, fit.validation_after, fit.iterations);
  CHECK(fit.validation_before > 1e-3);
  CHECK(fit.validation_after <= 1e-6 * fit.validation_before);
  CHECK(fitted_rmse(model, fit.plan, held_out) == Approx(fit.validation_after));
  // Moving a time, with s_i and the weights beside it moved to match, changes nothing: what a plan does are these
  // numbers.
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(fit.plan.scale_time[i] * fit.plan.sigmas[i] == Approx(known.scale_time[i] * known.sigmas[i]).epsilon(1e-3));
    const double gap = fit.plan.sigmas[i + 1] - fit.plan.sigmas[i], known_gap = known.sigmas[i + 1] - known.sigmas[i];
    for (std::size_t j = 0; j <= i; ++j)
      CHECK(gap * fit.plan.weights[i][j] == Approx(known_gap * known.weights[i][j]).epsilon(1e-3));
  }
}

TEST_CASE("plan fit beats iPNDM on seeds that it never saw", "[plan-fit]") {
  const GaussianMixture model = plan_mixture();
  const int64_t nfe = GENERATE(3, 5);
  const PlanFitData train = data(model, 0, 96), validation = data(model, 500, 64), test = data(model, 9000, 128);
  const PlanFitResult fit = fit_plan(model, {}, train, validation, options(nfe));
  CAPTURE(fit.train_before, fit.train_after, fit.validation_before, fit.validation_after, fit.evaluations, fit.seconds);
  REQUIRE(fit.plan.invalid_reason().empty());
  CHECK(fit.plan.nfe() == nfe);
  CHECK(fit.trials.size() == 4);
  CHECK_FALSE(fit.stopped);
  double best = 1e300;
  for (const Final final : {Final::zero, Final::sigma_min}) {
    const PlanParameters space({.nfe = nfe, .final = final});
    best = std::min(best, fitted_rmse(model, space.plan(zeros(space)), test));
  }
  CHECK(fitted_rmse(model, fit.plan, test) <= 0.7 * best);
  CHECK(fit.train_after < fit.train_before);

  const auto report = nlohmann::json::parse(fit_report_json(fit, options(nfe), {"heun:steps=40", "0-95", "500-563"}));
  CHECK(report["teacher"] == "heun:steps=40");
  CHECK(report["train_rmse"] == fit.train_after);
  CHECK(report["trials"].size() == 4);
}

TEST_CASE("plan fit gives the same plan twice", "[plan-fit]") {
  const GaussianMixture model = plan_mixture();
  const PlanFitData train = data(model, 0, 32), validation = data(model, 500, 32);
  PlanFitOptions how = options(3);
  how.iterations = 4;
  CHECK(fit_plan(model, {}, train, validation, how).plan.to_json() ==
        fit_plan(model, {}, train, validation, how).plan.to_json());
}

TEST_CASE("plan fit returns the best plan so far when stopped or out of budget", "[plan-fit]") {
  const GaussianMixture model = plan_mixture();
  const PlanFitData train = data(model, 0, 48), validation = data(model, 500, 48);
  PlanFitOptions how = options(4);
  const int64_t stop_after = 3;
  int64_t last = 0;
  const PlanFitResult stopped =
      fit_plan(model, {}, train, validation, how, [&](int64_t done, int64_t total, const std::string&) {
        CHECK(done <= total);
        last = done;
        return done < stop_after;
      });
  CHECK(stopped.stopped);
  CHECK(last == stop_after);
  REQUIRE(stopped.plan.nfe() == 4);
  CHECK(stopped.validation_after < stopped.validation_before);
  CHECK(fitted_rmse(model, stopped.plan, validation) == Approx(stopped.validation_after));

  const PlanFitResult whole = fit_plan(model, {}, train, validation, how);
  CHECK(whole.validation_after <= stopped.validation_after);
  how.budget_evaluations = whole.evaluations / 2;
  const PlanFitResult cheap = fit_plan(model, {}, train, validation, how);
  CHECK_FALSE(cheap.stopped);
  CHECK(cheap.end == "budget");
  CHECK(cheap.evaluations < whole.evaluations);
  CHECK(cheap.plan.nfe() == 4);
  // A budget that is spent before anything was improved leaves the start, measured.
  for (const bool from_plan : {false, true}) {
    PlanFitOptions least = how;
    least.budget_evaluations = 1;
    if (from_plan) least.initial = cheap.plan;
    const PlanFitResult start = fit_plan(model, {}, train, validation, least);
    CHECK_FALSE(start.stopped);
    CHECK(start.end == "budget");
    REQUIRE(start.plan.nfe() == 4);
    CHECK(fitted_rmse(model, start.plan, validation) == Approx(start.validation_after));
    CHECK((start.plan.to_json() == cheap.plan.to_json()) == from_plan);
  }

  const PlanFitResult none =
      fit_plan(model, {}, train, validation, options(4), [](int64_t, int64_t, const std::string&) { return false; });
  CHECK(none.stopped);
  CHECK(none.plan.nfe() == 0);
}

TEST_CASE("plan fit goes on from a plan and never returns a worse one", "[plan-fit]") {
  const GaussianMixture model = plan_mixture();
  const PlanFitData train = data(model, 0, 48), validation = data(model, 500, 48);
  PlanFitOptions how = options(4);
  how.iterations = 3;
  how.ends = {Final::zero};
  how.starts = 1;
  const PlanFitResult first = fit_plan(model, {}, train, validation, how);
  how.initial = first.plan;
  const PlanFitResult second = fit_plan(model, {}, train, validation, how);
  CHECK(second.trials.size() == 1);
  CHECK(second.trials[0].start == "plan");
  CHECK(second.validation_after <= first.validation_after + 1e-12);
}

TEST_CASE("plan fit refuses options and data that make no sense", "[plan-fit]") {
  const GaussianMixture model = plan_mixture();
  const PlanFitData good = data(model, 0, 4);
  const auto refused = [&](auto&& change) {
    PlanFitOptions how = options(3);
    change(how);
    CHECK_FALSE(how.invalid_reason().empty());
    CHECK_THROWS_AS(fit_plan(model, {}, good, good, how), UsageError);
  };
  refused([](PlanFitOptions& o) { o.nfe = 0; });
  refused([](PlanFitOptions& o) { o.ends = {}; });
  refused([](PlanFitOptions& o) { o.starts = 9; });
  refused([](PlanFitOptions& o) { o.fd_step = 0.0; });
  refused([](PlanFitOptions& o) { o.rows = 1; });
  refused([](PlanFitOptions& o) { o.huber = 0.0; });
  refused([](PlanFitOptions& o) { o.weight_prior = -1.0; });
  PlanFitData broken = good;
  broken.target = good.target.slice(0, 0, 3);
  CHECK_THROWS_AS(fit_plan(model, {}, broken, good, options(3)), UsageError);
  CHECK_THROWS_AS(fit_plan(model, {}, good, {}, options(3)), UsageError);
  broken = good;
  broken.start = good.start * std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(fit_plan(model, {}, broken, good, options(3)), QualityError);
}

TEST_CASE("plan fit turns the free parts alone", "[plan-fit]") {
  const GaussianMixture model = plan_mixture();
  const PlanFitData train = data(model, 0, 48), validation = data(model, 500, 48);
  const PlanFree free =
      GENERATE(PlanFree{true, false, false}, PlanFree{false, true, false}, PlanFree{false, false, true});
  PlanFitOptions how = options(4);
  how.iterations = 4;
  how.ends = {Final::sigma_min};
  how.starts = 1;
  how.free = free;
  const PlanFitResult fit = fit_plan(model, {}, train, validation, how);
  const PlanParameters space({.nfe = 4});
  const Plan start = space.plan(zeros(space));
  INFO(free.text());
  CHECK(fit.validation_after < fit.validation_before);
  CHECK((fit.plan.weights == start.weights) == !free.weights);
  CHECK((fit.plan.scale_time == start.scale_time) == !free.times);
  CHECK((std::abs(fit.plan.sigmas[2] / start.sigmas[2] - 1.0) < 1e-9) == !free.grid);
}

TEST_CASE("plan fit compares what it is told to", "[plan-fit]") {
  const GaussianMixture model = plan_mixture();
  const PlanFitData train = data(model, 0, 48), validation = data(model, 500, 48);
  PlanFitOptions how = options(3);
  how.iterations = 3;
  const PlanFitResult plain = fit_plan(model, {}, train, validation, how);
  CHECK(plain.validation_pixels == plain.validation_after);
  // Twice the end points: the same problem.
  how.compare = [](const Tensor& x) { return x * 2.0; };
  const PlanFitResult twice = fit_plan(model, {}, train, validation, how);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(twice.plan.sigmas[i] == Approx(plain.plan.sigmas[i]).epsilon(1e-9));
    CHECK(twice.plan.weights[i][0] == Approx(plain.plan.weights[i][0]).epsilon(1e-9));
  }
  CHECK(twice.validation_after == Approx(2.0 * plain.validation_after));
  CHECK(twice.validation_pixels == Approx(plain.validation_after));
  // Two of the eight values: another problem, with RMSEs of its own.
  how.compare = [](const Tensor& x) { return x.flatten(1).slice(1, 0, 2); };
  how.residual = "two values";
  const PlanFitResult two = fit_plan(model, {}, train, validation, how);
  const auto off = [&](const Plan& plan) {
    const Tensor x = plan_endpoints(plan, {model, {}, train.start, {}}, {}).x;
    return end_point_rmse(how.compare(x), how.compare(train.target));
  };
  CHECK(two.train_after < two.train_before);
  CHECK(two.train_after == Approx(off(two.plan)));
  const auto report = nlohmann::json::parse(fit_report_json(two, how, {"heun", "0-47", "500-547"}));
  CHECK(report.at("residual") == "two values");
  CHECK(report.at("parametrisation") == "grid+weights+times");
}
