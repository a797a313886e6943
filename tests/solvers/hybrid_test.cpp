// Several methods on one grid.
#include "solvers/hybrid.h"

#include "framework/error.h"
#include "tests/solvers/fixtures.h"

namespace stride {
namespace {

using namespace fixtures;

const NoiseSchedule& linear() {
  static const NoiseSchedule schedule = make_noise_schedule(Spec::parse("linear"));
  return schedule;
}

std::unique_ptr<Solver> hybrid(const std::string& text) {
  return make_hybrid(parse_hybrid(text), {&linear(), device()});
}

TimeGrid grid_of(int64_t steps, Final final) {
  return make_grid(Spec::parse("karras"),
                   {.steps = steps, .sigma_min = 0.05, .sigma_max = 10.0, .final = final, .noise_schedule = nullptr});
}

}  // namespace

TEST_CASE("hybrid: two legs of one method are that method, bit for bit, for the whole registry", "[hybrid]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  each_solver([&](const std::string& name, const Solver& one) {
    if (name == "plan") return;  // its own grid
    for (const Final final : {Final::zero, Final::sigma_min}) {
      const auto two = hybrid(name + "@5," + name + "@5");
      const TimeGrid grid = grid_of(10, final);
      const RunResult whole = run({*model, one, noise, grid}, ids(3));
      const RunResult legs = run({*model, *two, noise, grid}, ids(3));
      CAPTURE(to_string(final));
      CHECK(same_bits(legs.x, whole.x));
      CHECK(same_bits(legs.nfe, whole.nfe));
      CHECK(same_bits(legs.model_evals, whole.model_evals));
      CHECK(legs.nfe.eq(two->traits().nfe(10, final == Final::zero)).all().item<bool>());
      CHECK(one.traits().nfe(10, final == Final::zero) == two->traits().nfe(10, final == Final::zero));
      CHECK(one.traits().stochastic == two->traits().stochastic);
    }
  });
}

TEST_CASE("hybrid: the second method goes on from the first one's state and evaluations, bit for bit", "[hybrid]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const Problem problem{*model, flow, noise};
  const std::vector<std::pair<std::string, std::string>> pairs{{"euler", "dpmpp_2m"},   {"heun", "lms"},
                                                               {"lms", "dpmpp_2m"},     {"dpmpp_2m", "lms"},
                                                               {"ddim:eta=1", "ipndm"}, {"ipndm:order=2", "heun"}};
  for (const auto& [first, second] : pairs) {
    const TimeGrid grid = grid_of(9, Final::zero);
    const FixedGrid controller(grid);
    const auto a = solver_for(first);
    const auto b = solver_for(second);
    // By hand: `a` for four steps while every evaluation is noted, then `b` with those for its history.
    RunState state = start({*model, *a, noise, grid}, ids(3));
    History seen = History::empty(b->traits().history, state.x);
    for (int i = 0; i < 4; ++i) {
      const RunState before = state;
      StepResult step;
      state = advance(problem, *a, controller, state, &step);
      seen = seen.push({before.sigma, step.denoised, (before.x - step.denoised) / per_sample(before.sigma, before.x)});
    }
    state = state.handed_over(seen.state());
    for (int i = 4; i < 8; ++i) state = advance(problem, *b, controller, state);
    state = finish(problem, *b, state);
    const auto both = hybrid(first + "@4," + second + "@5");
    const RunResult result = run({*model, *both, noise, grid}, ids(3));
    CAPTURE(first, second);
    CHECK(same_bits(result.x, state.x));
    CHECK(same_bits(result.nfe, state.nfe));
    CHECK(result.nfe.eq(both->traits().nfe(9, true)).all().item<bool>());
  }
}

TEST_CASE("hybrid: evaluations are counted leg by leg", "[hybrid]") {
  CHECK(hybrid("ddim@10,heun@5")->traits().nfe(15, true) == 19);
  CHECK(hybrid("ddim@10,heun@5")->traits().nfe(15, false) == 20);
  CHECK(hybrid("heun@5,ddim@10")->traits().nfe(15, true) == 20);
  CHECK(hybrid("heun@1")->traits().nfe(1, true) == 1);
  CHECK_THROWS_WITH(hybrid("heun@2,ddim@1")->traits().nfe(4, true), contains("3 steps, not 4"));
}

TEST_CASE("hybrid: rows of one batch may stand in different legs", "[hybrid]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const Problem problem{*model, flow, noise};
  for (const std::string text : {"ddim:eta=1@2,heun@3", "lms@3,ddpm@1,dpmpp_2m@2", "euler@1,lms:order=2@4"}) {
    const auto solver = hybrid(text);
    const int64_t steps = hybrid_steps(parse_hybrid(text));
    const TimeGrid grid = grid_of(steps, Final::sigma_min);
    const FixedGrid controller(grid);
    const RunResult whole = run({*model, *solver, noise, grid}, ids(5));
    for (int64_t ahead = 1; ahead < steps; ++ahead) {
      RunState state = start({*model, *solver, noise, grid}, ids(3));
      for (int64_t i = 0; i < ahead; ++i) state = advance(problem, *solver, controller, state);
      state = RunState::concat(start({*model, *solver, noise, grid}, ids(2, 3)), state);
      for (int64_t i = 0; i < steps; ++i) state = advance(problem, *solver, controller, state);
      CAPTURE(text, ahead);
      const Tensor back = index({2, 3, 4, 0, 1});
      CHECK(same_bits(state.x.index_select(0, back), whole.x));
      CHECK(same_bits(state.nfe.index_select(0, back), whole.nfe));
      CHECK(same_bits(state.draws.index_select(0, back), [&] {
        RunState alone = start({*model, *solver, noise, grid}, ids(5));
        for (int64_t i = 0; i < steps; ++i) alone = advance(problem, *solver, controller, alone);
        return alone.draws;
      }()));
    }
  }
}

TEST_CASE("hybrid: a run resumes, repeats and survives selection in the middle", "[hybrid]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const Problem problem{*model, flow, noise};
  const auto solver = hybrid("euler@2,lms@3,heun@2,dpmpp_2m@2");
  const TimeGrid grid = grid_of(9, Final::zero);
  const FixedGrid controller(grid);
  const Tensor whole = run({*model, *solver, noise, grid}, ids(6)).x;
  CHECK(same_bits(whole, run({*model, *solver, noise, grid}, ids(6)).x));
  const Tensor rows = index({4, 1, 3});
  for (int64_t cut = 0; cut < 8; ++cut) {
    RunState state = start({*model, *solver, noise, grid}, ids(6));
    for (int64_t i = 0; i < cut; ++i) state = advance(problem, *solver, controller, state);
    state = RunState::from_tensors(state.select(rows).tensors());
    for (int64_t i = cut; i < 8; ++i) state = advance(problem, *solver, controller, state);
    CHECK(same_bits(finish(problem, *solver, state).x, whole.index_select(0, rows)));
  }
}

TEST_CASE("hybrid: texts are read strictly", "[hybrid]") {
  const auto legs = parse_hybrid("ddim:eta=0.5@10,lms:order=3@2,heun@5:1.0-2e-3");
  REQUIRE(legs.size() == 3);
  CHECK(legs[0].solver == "ddim:eta=0.5");
  CHECK(legs[1].solver == "lms:order=3");
  CHECK(legs[2].solver == "heun");
  CHECK(hybrid_steps(legs) == 17);
  CHECK_FALSE(legs[1].high);
  CHECK(legs[2].high == 1.0);
  CHECK(legs[2].low == 0.002);
  CHECK(parse_hybrid("euler@2:1e-1-5e-2,heun@1")[0].low == 0.05);
  CHECK(is_hybrid("ddim@10,heun@5:1.0-0.002"));
  CHECK_FALSE(is_hybrid("ddim:eta=0.5"));
  CHECK_FALSE(is_hybrid("plan:runs@5/plan.json"));
  for (const char* bad : {"", "ddim", "ddim@", "ddim@10,", "ddim@10,heun", "@3", "heun@2:1", "heun@2:0.1-1.0",
                          "heun@2:1.0-0", "ddim@10;heun@5"})
    CHECK_THROWS_AS(parse_hybrid(bad), UsageError);
  CHECK_THROWS_WITH(hybrid("ddim@0,heun@2"), contains("no steps"));
  CHECK_THROWS_WITH(hybrid("ddim@2,huen@2"), contains("did you mean 'heun'"));
}

TEST_CASE("hybrid: a run that begins later has the last legs", "[hybrid]") {
  const auto legs = parse_hybrid("ddim@6,lms@2,heun@4");
  const auto texts = [&](int64_t steps) {
    std::string out;
    for (const HybridLeg& leg : last_steps(legs, steps)) out += leg.solver + "@" + std::to_string(leg.steps) + " ";
    return out;
  };
  CHECK(texts(12) == "ddim@6 lms@2 heun@4 ");
  CHECK(texts(7) == "ddim@1 lms@2 heun@4 ");
  CHECK(texts(6) == "lms@2 heun@4 ");
  CHECK(texts(1) == "heun@1 ");
  CHECK_THROWS_AS(last_steps(legs, 0), UsageError);
  CHECK_THROWS_AS(last_steps(legs, 13), UsageError);
}

TEST_CASE("hybrid: the legs share one grid, but for those with a range of their own", "[hybrid]") {
  const Spec karras = Spec::parse("karras");
  const GridRequest request{.steps = 0, .sigma_min = 0.002, .sigma_max = 80.0};
  const auto grid = [&](const std::string& text) { return hybrid_grid(parse_hybrid(text), karras, request).sigmas(); };
  CHECK(grid("ddim@10,heun@5") == make_grid(karras, {15, 0.002, 80.0, Final::zero, nullptr}).sigmas());
  const auto ranged = grid("ddim@3,lms@4,heun@5:1.0-0.002");
  REQUIRE(ranged.size() == 13);
  const auto above = make_grid(karras, {7, 1.0, 80.0, Final::sigma_min, nullptr}).sigmas();
  const auto below = make_grid(karras, {5, 0.002, 1.0, Final::zero, nullptr}).sigmas();
  CHECK(std::vector<double>(ranged.begin(), ranged.begin() + 8) == above);
  CHECK(std::vector<double>(ranged.begin() + 7, ranged.end()) == below);
  CHECK(grid("ddim@3:20-1,heun@2").front() == 20.0);
  CHECK(grid("ddim@3:20-1,heun@2")[3] == 1.0);
  CHECK(grid("ddim@3,heun@1:0.5-0.1").back() == 0.0);
  CHECK_THROWS_WITH(grid("ddim@3:20-2,heun@2:1.0-0.1"), contains("ranges must meet"));
  const GridRequest timesteps{.sigma_min = 0.002, .sigma_max = 80.0, .noise_schedule = &linear()};
  CHECK_THROWS_WITH(hybrid_grid(parse_hybrid("ddim@3,heun@2:1.0-0.1"), Spec::parse("trailing"), timesteps),
                    contains("takes no range"));
}

}  // namespace stride
