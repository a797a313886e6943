// Properties that every solver of the registry must have, present and future.
#include "tests/solvers/fixtures.h"

#include "adaptive/control/pi_controller.h"
#include "framework/error.h"
#include "framework/files/safetensors.h"
#include "solvers/checks/properties.h"

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

PropertyRun looked_at(const std::string& name) { return {device(), natural_steps(name)}; }

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
  each_solver([](const std::string& name, const Solver& solver) { CHECK(check_nfe(solver, looked_at(name)) == ""); });
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
  each_solver(
      [](const std::string& name, const Solver& solver) { CHECK(check_purity(solver, looked_at(name)) == ""); });
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

TEST_CASE("registry: a sample does not depend on batch size, position, order or rows that leave", "[registry]") {
  each_solver(
      [](const std::string& name, const Solver& solver) { CHECK(check_batches(solver, looked_at(name)) == ""); });
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
  each_solver([&](const std::string& name, const Solver& solver) {
    CHECK(check_dtypes(solver, looked_at(name)) == "");
    const TimeGrid grid = grid_of(natural_steps(name), Final::zero);
    CHECK(run({*model, solver, noise, grid}, ids(4), at::kBFloat16).x.scalar_type() == at::kBFloat16);
  });
}

TEST_CASE("registry: a NaN row leaves its neighbours alone and is named", "[registry]") {
  each_solver([](const std::string& name, const Solver& solver) { CHECK(check_nan(solver, looked_at(name)) == ""); });
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
  each_solver([](const std::string& name, const Solver& solver) { CHECK(check_noise(solver, looked_at(name)) == ""); });
}

}  // namespace stride
