#include "framework/error.h"
#include "tests/adaptive/plan_fixture.h"

using namespace stride;
using namespace stride::test;

TEST_CASE("plan parameters count 11, 17, 23, 29, 41 at NFE 3, 4, 5, 6, 8", "[plan]") {
  const Final final = GENERATE(Final::zero, Final::sigma_min);
  for (const auto& [nfe, count] :
       std::vector<std::pair<int64_t, int64_t>>{{1, 2}, {3, 11}, {4, 17}, {5, 23}, {6, 29}, {8, 41}})
    CHECK(PlanParameters({.nfe = nfe, .final = final}).size() == count);
}

TEST_CASE("plan parameters at zero are iPNDM on the Karras grid", "[plan]") {
  const Final final = GENERATE(Final::zero, Final::sigma_min);
  const PlanParameters space({.nfe = 6, .final = final});
  const Plan plan = space.plan(zeros(space));
  REQUIRE(plan.invalid_reason().empty());
  const TimeGrid karras = make_grid(Spec::parse("karras"), {.steps = 6, .final = final});
  for (std::size_t i = 0; i <= 6; ++i) CHECK(plan.sigmas[i] == Approx(karras.sigmas()[i]).epsilon(1e-12));
  CHECK(plan.sigmas.front() == 80.0);
  CHECK(plan.sigmas.back() == (final == Final::zero ? 0.0 : 0.002));
  CHECK(plan.weights[3] == adams_bashforth(4));
  CHECK(plan.scale_time == std::vector<double>(6, 1.0));
  CHECK((plan.weights[5] == std::vector<double>{1, 0, 0, 0}) == (final == Final::zero));
}

TEST_CASE("plan parameters and plans are each other's inverse", "[plan]") {
  const Final final = GENERATE(Final::zero, Final::sigma_min);
  const PlanParameters space({.nfe = 5, .final = final});
  const std::vector<double> there = off_theory(space, 0.4);
  const Plan plan = space.plan(there);
  REQUIRE(plan.invalid_reason().empty());
  const std::vector<double> back = space.parameters(plan);
  for (std::size_t i = 0; i < there.size(); ++i) CHECK(back[i] == Approx(there[i]).margin(1e-9));

  const TimeGrid other = make_grid(Spec::parse("karras:rho=3"), {.steps = 5, .final = final});
  const Plan moved = space.plan(space.parameters(space.on_grid(other.sigmas())));
  for (std::size_t i = 0; i <= 5; ++i) CHECK(moved.sigmas[i] == Approx(other.sigmas()[i]).epsilon(1e-9));
}

TEST_CASE("plan parameters refuse plans of another space", "[plan]") {
  const PlanParameters space({.nfe = 5, .final = Final::zero});
  const PlanParameters longer({.nfe = 6, .final = Final::zero}), positive({.nfe = 5, .final = Final::sigma_min});
  const PlanParameters wide({.nfe = 5, .final = Final::zero, .sigma_max = 50.0}),
      narrow({.nfe = 5, .final = Final::zero, .window = 2});
  CHECK_THROWS_AS(space.parameters(longer.plan(zeros(longer))), UsageError);
  CHECK_THROWS_AS(space.parameters(positive.plan(zeros(positive))), UsageError);
  CHECK_THROWS_AS(space.parameters(wide.plan(zeros(wide))), UsageError);
  CHECK_THROWS_AS(narrow.parameters(space.plan(zeros(space))), UsageError);
  CHECK_THROWS_AS(space.plan({1.0}), UsageError);
  CHECK_THROWS_AS(PlanParameters({.nfe = 0}), UsageError);
  CHECK_THROWS_AS(PlanParameters({.nfe = 5, .sigma_min = 80.0}), UsageError);
}

TEST_CASE("plan parameters chain logits to times as their own differences say", "[plan]") {
  const Final final = GENERATE(Final::zero, Final::sigma_min);
  const PlanParameters space({.nfe = 5, .final = final});
  const std::vector<double> at = off_theory(space, 0.3);
  const Plan plan = space.plan(at);
  const std::vector<double> chain = space.chain(plan);
  const auto p = static_cast<std::size_t>(space.size());
  // A turn of every column by its share of a parameter's turn is that parameter's turn.
  for (std::size_t m = 0; m < p; ++m) {
    const double h = 1e-5;
    std::vector<double> up = at;
    up[m] += h;
    const Plan expected = space.plan(up);
    Plan turned = plan;
    for (std::size_t c = 0; c < p; ++c) turned = space.turned(turned, space.columns()[c], h * chain[c * p + m]);
    for (std::size_t k = 0; k <= 5; ++k)
      CHECK(std::log(turned.sigmas[k] + 1e-300) - std::log(expected.sigmas[k] + 1e-300) == Approx(0.0).margin(1e-8));
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(turned.scale_time[i] == Approx(expected.scale_time[i]).epsilon(1e-12));
      for (std::size_t j = 0; j < turned.weights[i].size(); ++j)
        CHECK(turned.weights[i][j] == Approx(expected.weights[i][j]).margin(1e-12));
    }
  }
}

TEST_CASE("plan parameters: parts that are not free have none, and stay as they are", "[plan]") {
  CHECK(PlanFree::parse("weights+grid") == PlanFree{true, true, false});
  CHECK(PlanFree::parse("times").text() == "times");
  CHECK(PlanFree{}.text() == "grid+weights+times");
  for (const char* wrong : {"", "grids", "grid+", "grid+grid", "grid,times"})
    CHECK_THROWS_AS(PlanFree::parse(wrong), UsageError);
  const PlanSpace none{.nfe = 1, .free = {true, false, false}};
  CHECK_THROWS_AS(PlanParameters(none), UsageError);

  const PlanParameters all({.nfe = 4});
  const Plan there = all.plan(off_theory(all, 0.2));
  struct Part {
    PlanFree free;
    int64_t parameters;
  };
  for (const Part& part :
       {Part{{true, false, false}, 3}, Part{{false, true, false}, 10}, Part{{false, false, true}, 4}}) {
    INFO(part.free.text());
    const PlanParameters some = PlanParameters({.nfe = 4, .free = part.free}).around(there);
    REQUIRE(some.size() == part.parameters);
    CHECK(some.plan(some.parameters(there)).sigmas[2] == Approx(there.sigmas[2]));
    const Plan moved = some.plan(zeros(some));
    CHECK((moved.weights == there.weights) == !part.free.weights);
    CHECK((moved.scale_time[1] == there.scale_time[1]) == !part.free.times);
    CHECK((std::abs(moved.sigmas[1] / there.sigmas[1] - 1.0) < 1e-12) == !part.free.grid);
    CHECK(some.chain(there).size() == static_cast<std::size_t>(part.parameters * part.parameters));
  }
}
