// Properties that every solver of the registry must have, present and future.
#include "tests/solvers/fixtures.h"

#include "adaptive/control/pi_controller.h"
#include "framework/error.h"
#include "framework/files/safetensors.h"

#include <filesystem>

namespace stride {
namespace {

// Every row came to its end. On steps as long as these, implicit methods may leave their equations unsolved.
bool ended(const RunResult& result) {
  const auto is = [&](Status status) { return result.status.eq(static_cast<int8_t>(status)); };
  return is(Status::ok).logical_or(is(Status::not_converged)).all().item<bool>();
}

using namespace fixtures;

TimeGrid grid_of(int64_t steps, Final final) {
  return make_grid(Spec::parse("karras"),
                   {.steps = steps, .sigma_min = 0.05, .sigma_max = 10.0, .final = final, .noise_schedule = nullptr});
}

// A plan brings its own number of steps.
int64_t natural_steps(const std::string& name) { return name == "plan" ? 5 : 6; }

// Keeps the bits of a state that a step must not change.
RunState deep_copy(const RunState& state) {
  std::map<std::string, Tensor> copy;
  for (const auto& [name, tensor] : state.tensors()) copy.emplace(name, tensor.clone());
  return RunState::from_tensors(copy);
}

}  // namespace

TEST_CASE("registry: names are sorted and unique, aliases lead to them, unknown ones get a suggestion", "[registry]") {
  const auto& names = solver_names();
  CHECK(std::is_sorted(names.begin(), names.end()));
  CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
  std::vector<std::string> taken = names;
  for (const std::string& name : names) {
    CAPTURE(name);
    const SolverTraits& traits = solver_traits(name);
    CHECK(traits.name == name);
    CHECK_FALSE(traits.reference.empty());
    CHECK_FALSE(traits.summary.empty());
    CHECK_FALSE(traits.family.empty());
    for (const std::string& alias : traits.aliases) {
      CHECK(solver_traits(alias).name == name);
      if (alias != name) taken.push_back(alias);
    }
  }
  std::sort(taken.begin(), taken.end());
  CHECK(std::adjacent_find(taken.begin(), taken.end()) == taken.end());
  CHECK_THROWS_WITH(make_solver("huen"), contains("did you mean 'heun'"));
  CHECK_THROWS_WITH(make_solver("ddim:etta=1"), contains("did you mean 'eta'"));
  CHECK_THROWS_AS(make_solver("ddim:eta=2"), UsageError);
  CHECK_THROWS_AS(make_solver("lms:order=5"), UsageError);
  CHECK_THROWS_AS(make_solver("euler:eta=0.5"), UsageError);
}

TEST_CASE("registry: every option is read as it is listed, and refused outside of what is listed",
          "[registry][options]") {
  const auto make = [](const std::string& spec) {
    return make_solver(spec == "dpmpp_3m_sde:start=high" ? spec + ",eta=0" : spec);
  };
  for (const std::string& name : solver_names()) DYNAMIC_SECTION(name) {
      for (const OptionInfo& option : solver_traits(name).options) {
        if (option.argument) continue;
        const std::string spec = name + ":" + option.name + "=";
        CAPTURE(spec);
        CHECK_FALSE(option.summary.empty());
        CHECK_THROWS_WITH(make(spec + "nonsense"), contains(option.name + " must be"));
        if (!option.allowed.empty()) CHECK_THROWS_WITH(make(spec + "-1000000000"), contains(option.allowed));
        if (name == "tcd" || spec == "lcm:boundary=") continue;  // they need a timestep axis
        for (const std::string& word : option.choices) CHECK_NOTHROW(make(spec + word));
        const bool exact = option.fallback.find('/') == std::string::npos;  // 1/3 is for people
        if (option.choices.empty() && exact) CHECK_NOTHROW(make(spec + option.fallback));
      }
    }
}

TEST_CASE("registry: counted evaluations are the claimed ones", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  each_solver([&](const std::string& name, const Solver& solver) {
    for (const Final final : {Final::zero, Final::sigma_min})
      for (const int64_t steps : {1, 2, 5}) {
        if (name == "plan" && steps != 5) continue;
        const TimeGrid grid = grid_of(steps, final);
        const RunResult result = run({*model, solver, noise, grid}, ids(3));
        CAPTURE(steps, to_string(final));
        CHECK(result.nfe.eq(solver.traits().nfe(steps, final == Final::zero)).all().item<bool>());
        // A masked method makes passes that only some rows of a batch have a use for.
        if (solver.traits().masked)
          CHECK(result.nfe.le(result.model_evals).all().item<bool>());
        else
          CHECK(same_bits(result.nfe, result.model_evals));
        CHECK(result.steps.eq(steps).all().item<bool>());
        CHECK(ended(result));
      }
  });
}

TEST_CASE("registry: guidance makes two passes of one evaluation", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::sigma_min);
    const RunResult result = sample({*model, flow, noise, {.scale = 2.0}}, solver, FixedGrid(grid),
                                    start({*model, solver, noise, grid}, ids(3)));
    const RunResult plain = run({*model, solver, noise, grid}, ids(3));
    CHECK(same_bits(result.nfe, plain.nfe));
    CHECK(same_bits(result.model_evals, plain.model_evals * 2));
    CHECK_FALSE(at::allclose(result.x, plain.x));
  });
}

TEST_CASE("registry: a step is pure", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    const Problem problem{*model, flow, noise};
    const FixedGrid controller(grid);
    RunState state = start({*model, solver, noise, grid}, ids(4));
    for (int64_t i = 0; i < 4; ++i) {
      const RunState before = deep_copy(state);
      const RunState once = advance(problem, solver, controller, state);
      CHECK(same_bits(state, before));
      const RunState again = advance(problem, solver, controller, state);
      CHECK(same_bits(once, again));
      state = once;
    }
    const RunState before = deep_copy(state);
    const RunState once = finish(problem, solver, state);
    CHECK(same_bits(state, before));
    CHECK(same_bits(once, finish(problem, solver, state)));
  });
}

TEST_CASE("registry: a run repeats bit for bit, with one solver object and with two", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    const Tensor first = run({*model, solver, noise, grid}, ids(4)).x;
    CHECK(same_bits(first, run({*model, solver, noise, grid}, ids(4)).x));
    CHECK(same_bits(first, run({*model, *solver_for(name), noise, grid}, ids(4)).x));
  });
}

TEST_CASE("registry: a sample does not depend on batch size, position or order", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    const Tensor batch = run({*model, solver, noise, grid}, ids(7)).x;
    for (int64_t i = 0; i < 7; ++i)
      CHECK(same_bits(batch.narrow(0, i, 1), run({*model, solver, noise, grid}, ids(1, i)).x));
    const Tensor turned = index({5, 2, 6, 0});
    CHECK(same_bits(batch.index_select(0, turned), run({*model, solver, noise, grid}, turned).x));
  });
}

TEST_CASE("registry: rows selected in the middle of a run end as they would have", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    const Problem problem{*model, flow, noise};
    const FixedGrid controller(grid);
    const Tensor whole = run({*model, solver, noise, grid}, ids(6)).x;
    const Tensor rows = index({4, 1, 3});
    for (int64_t cut = 0; cut < *controller.planned_steps(); ++cut) {
      RunState state = start({*model, solver, noise, grid}, ids(6));
      for (int64_t i = 0; i < cut; ++i) state = advance(problem, solver, controller, state);
      state = state.select(rows);
      for (int64_t i = cut; i < *controller.planned_steps(); ++i) state = advance(problem, solver, controller, state);
      CHECK(same_bits(finish(problem, solver, state).x, whole.index_select(0, rows)));
    }
  });
}

TEST_CASE("registry: fresh rows may join a running batch", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    const int64_t steps = natural_steps(name);
    const TimeGrid grid = grid_of(steps, Final::sigma_min);
    const Problem problem{*model, flow, noise};
    const FixedGrid controller(grid);
    RunState state = start({*model, solver, noise, grid}, ids(3));
    state = advance(problem, solver, controller, advance(problem, solver, controller, state));
    state = RunState::concat(state, start({*model, solver, noise, grid}, ids(2, 3)));
    for (int64_t i = 0; i < steps; ++i) state = advance(problem, solver, controller, state);
    CHECK(same_bits(state.x, run({*model, solver, noise, grid}, ids(5)).x));
    CHECK(state.nfe.eq(solver.traits().nfe(steps, false)).all().item<bool>());
  });
}

TEST_CASE("registry: a run resumes from its saved state bit for bit", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const auto path =
      std::filesystem::temp_directory_path() / ("stride-resume-" + std::to_string(::getpid()) + ".safetensors");
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    const Problem problem{*model, flow, noise};
    const FixedGrid controller(grid);
    const Tensor whole = run({*model, solver, noise, grid}, ids(4)).x;
    RunState state = start({*model, solver, noise, grid}, ids(4));
    for (int64_t i = 0; i < *controller.planned_steps(); ++i) {
      state = advance(problem, solver, controller, state);
      write_safetensors(path.string(), state.tensors(), {});
      std::map<std::string, Tensor> read;
      for (const auto& [key, tensor] : read_safetensors(path.string())) read.emplace(key, tensor.to(device()));
      state = RunState::from_tensors(read);
    }
    CHECK(same_bits(finish(problem, solver, state).x, whole));
  });
  std::filesystem::remove(path);
}

TEST_CASE("registry: time stays float64 and data keeps its dtype", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    const Tensor exact = run({*model, solver, noise, grid}, ids(4)).x;
    RunState state = start({*model, solver, noise, grid}, ids(4), at::kFloat);
    for (int64_t i = 0; i < 3; ++i) state = advance({*model, flow, noise}, solver, FixedGrid(grid), state);
    CHECK(state.x.scalar_type() == at::kFloat);
    CHECK(state.sigma.scalar_type() == at::kDouble);
    const Tensor levels = at::tensor(grid.sigmas(), at::kDouble).to(device());
    CHECK(same_bits(state.sigma, levels[3].expand({4}).contiguous()));
    for (const Tensor& slot : state.history.slots())
      CHECK((slot.scalar_type() == at::kFloat) == (slot.sizes() == state.x.sizes()));
    const Tensor single = run({*model, solver, noise, grid}, ids(4), at::kFloat).x;
    CHECK(single.scalar_type() == at::kFloat);
    CHECK((single - exact).abs().max().item<double>() < 2e-5 * grid.start());
    CHECK(run({*model, solver, noise, grid}, ids(4), at::kBFloat16).x.scalar_type() == at::kBFloat16);
  });
}

TEST_CASE("registry: a NaN row leaves its neighbours alone and is named", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    const Tensor whole = run({*model, solver, noise, grid}, ids(5)).x;
    RunState state = start({*model, solver, noise, grid}, ids(5));
    state.x = state.x.clone();
    state.x[2].fill_(std::numeric_limits<double>::quiet_NaN());
    const RunResult result = sample({*model, flow, noise}, solver, FixedGrid(grid), state);
    const Tensor others = index({0, 1, 3, 4});
    CHECK(same_bits(result.x.index_select(0, others), whole.index_select(0, others)));
    CHECK(result.status.eq(static_cast<int8_t>(Status::non_finite)).equal(index({0, 0, 1, 0, 0}).to(at::kBool)));
    CHECK_FALSE(result.ok());
  });
}

TEST_CASE("registry: with an error estimate a solver runs adaptively, without one it refuses", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const TimeGrid ends({10.0, 0.05});
  each_solver([&](const std::string& name, const Solver& solver) {
    if (name == "plan") return;  // brings its own grid
    const auto adaptive = [&](double tolerance, bool compact, const Tensor& samples) {
      const PiController controller({.rtol = tolerance, .atol = tolerance, .end = 0.05, .final_zero = true});
      return run({*model, solver, noise, ends}, controller, samples, {.compact = compact});
    };
    if (!solver.traits().error_order) {
      CHECK_THROWS_WITH(adaptive(1e-2, true, ids(3)), contains("error estimate"));
      return;
    }
    const RunResult loose = adaptive(1e-2, true, ids(16));
    CHECK(ended(loose));
    CHECK(same_bits(loose.x, adaptive(1e-2, false, ids(16)).x));
    CHECK(same_bits(loose.nfe, adaptive(1e-2, false, ids(16)).nfe));
    for (int64_t i = 0; i < 16; i += 5) CHECK(same_bits(loose.x.narrow(0, i, 1), adaptive(1e-2, true, ids(1, i)).x));
    const int64_t per_step = solver.traits().nfe(2, false) / 2;
    CHECK(same_bits(loose.nfe, (loose.steps - 1 + loose.rejected) * per_step + 1));
    const TimeGrid fine = grid_of(2000, Final::zero);
    const Tensor exact = run({*model, *make_solver("heun"), noise, fine}, ids(16)).x;
    const auto error = [&](double tolerance) {
      return (adaptive(tolerance, true, ids(16)).x - exact).abs().max().item<double>();
    };
    CHECK(error(1e-3) < 0.5 * error(1e-2));
    CHECK(error(1e-4) < 0.5 * error(1e-3));
  });
}

TEST_CASE("registry: an ODE method refuses a stochastic term", "[registry]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ReverseSde sde;
  const TimeGrid grid = grid_of(5, Final::zero);
  each_solver([&](const std::string&, const Solver& solver) {
    const auto go = [&] {
      return sample({*model, sde, noise}, solver, FixedGrid(grid), start({*model, solver, noise, grid}, ids(2)));
    };
    if (solver.traits().integrates_sde)
      CHECK(ended(go()));
    else
      CHECK_THROWS_WITH(go(), contains("integrates ODEs only"));
  });
}

TEST_CASE("registry: noise is drawn by stochastic solvers only", "[registry]") {
  const auto model = three_components();
  const NoNoise none;
  const ProbabilityFlow flow;
  each_solver([&](const std::string& name, const Solver& solver) {
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    const auto go = [&] {
      return sample({*model, flow, none}, solver, FixedGrid(grid), start({*model, solver, none, grid}, ids(2)));
    };
    if (solver.traits().stochastic)
      CHECK_THROWS_WITH(go(), contains("noise source"));
    else
      CHECK(ended(go()));
  });
}

}  // namespace stride
