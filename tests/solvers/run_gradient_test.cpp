// Gradients through whole runs, in each mode: against central differences, against each other, and what they keep.
#include "framework/error.h"
#include "framework/models/lambda_denoiser.h"
#include "solvers/gradients/sample_with_gradients.h"
#include "tests/solvers/fixtures.h"

#include <torch/csrc/autograd/autograd.h>

#include <c10/util/intrusive_ptr.h>

namespace stride {
namespace {

using namespace fixtures;

constexpr double kAgainstDifferences = 1e-6;
constexpr double kBetweenModes = 1e-12;

// A network of one layer, which closes over `weights` [3, 3] and is shifted by a condition [B, 3]. `answers`, where
// given, sees each hidden layer.
LambdaDenoiser tiny(const Tensor& weights, const std::function<void(const Tensor&)>& answers = {}) {
  ModelInfo info;
  info.name = "tiny";
  info.shape = {3};
  info.conditions = {{"shift", 0, {3}}};
  return {info,
          [=](const Tensor& x, const Times& sigma, const BatchState& condition) {
            const Tensor c_in = per_sample((1.0 + sigma.square()).rsqrt(), x);
            const Tensor hidden = (at::matmul(c_in * x, weights) + condition[0].to(x.scalar_type())).tanh();
            if (answers) answers(hidden);
            return hidden + per_sample(0.3 / (1.0 + sigma.square()), x) * x;
          },
          [](const BatchState& condition) { return BatchState({at::zeros_like(condition[0])}); }};
}

Tensor some_weights() {
  return at::tensor({0.6, -0.4, 0.2, 0.3, 0.5, -0.7, -0.2, 0.4, 0.8}, at::kDouble).view({3, 3}).to(device());
}
Tensor some_shift() { return at::tensor({0.2, -0.1, 0.3, -0.4, 0.1, 0.5}, at::kDouble).view({2, 3}).to(device()); }

TimeGrid karras(int64_t steps, Final final, double low = 0.05) {
  return make_grid(Spec::parse("karras"), {steps, low, 10.0, final, nullptr});
}

// What a run is made of, to be called with other tensors in the places of those that gradients are wanted for.
struct Run {
  std::string solver;
  TimeGrid grid;
  Guidance guidance = {};
  GradientOptions options = {};

  // A scalar of the end.
  [[nodiscard]] Tensor loss(const Tensor& x, const Tensor& weights, const Tensor& shift) const {
    const LambdaDenoiser model = tiny(weights);
    const auto made = solver_for(solver);
    return loss(model, *made, x, weights, shift);
  }
  [[nodiscard]] Tensor loss(const Denoiser& model, const Solver& made, const Tensor& x, const Tensor& weights,
                            const Tensor& shift) const {
    const RunResult end = result(model, made, x, weights, shift);
    return (end.x * at::arange(1, 4, x.options())).sin().sum() + end.x.square().sum();
  }
  [[nodiscard]] RunResult result(const Denoiser& model, const Solver& made, const Tensor& x, const Tensor& weights,
                                 const Tensor& shift) const {
    GradientOptions used = options;
    used.parameters.push_back(weights);
    return sample_with_gradients({model, flow, noise, guidance}, made, FixedGrid(grid), begin(made, x, shift), used);
  }
  [[nodiscard]] RunState begin(const Solver& made, const Tensor& x, const Tensor& shift) const {
    RunConstant constant;
    constant.ids = ids(x.size(0));
    constant.condition = BatchState({shift});
    constant.grid = grid.rows(x.size(0), x.device());
    return start_run(made, FixedGrid(grid), constant, x,
                     at::full({x.size(0)}, grid.start(), x.options()).to(at::kDouble));
  }
  [[nodiscard]] Tensor start() const { return noise.initial(ids(2), {3}, at::kDouble) * grid.start(); }

  PhiloxNoise noise = PhiloxNoise();
  ProbabilityFlow flow = {};
};

// With respect to the start, the weights and the condition.
std::vector<Tensor> gradients(const Run& run) {
  const Tensor x = run.start().requires_grad_(true), weights = some_weights().requires_grad_(true),
               shift = some_shift().requires_grad_(true);
  const LambdaDenoiser model = tiny(weights);
  const auto solver = solver_for(run.solver);  // both live until backward is done
  const FixedGrid controller(run.grid);
  GradientOptions options = run.options;
  options.parameters.push_back(weights);
  const RunResult end = sample_with_gradients({model, run.flow, run.noise, run.guidance}, *solver, controller,
                                              run.begin(*solver, x, shift), options);
  const Tensor loss = (end.x * at::arange(1, 4, x.options())).sin().sum() + end.x.square().sum();
  return torch::autograd::grad({loss}, {x, weights, shift});
}

std::vector<Tensor> differences(const Run& run) {
  const at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  std::vector<Tensor> at{run.start(), some_weights(), some_shift()}, out;
  for (Tensor& moved : at) {
    const Tensor kept = moved;
    Tensor found = at::zeros_like(kept);
    for (int64_t i = 0; i < kept.numel(); ++i) {
      const auto loss = [&](double step) {
        moved = kept.clone();
        moved.view({-1})[i] += step;
        return run.loss(at[0], at[1], at[2]);
      };
      found.view({-1})[i] = (loss(kStep) - loss(-kStep)) / (2.0 * kStep);
    }
    moved = kept;
    out.push_back(found);
  }
  return out;
}

// The largest difference, relative to the largest entry.
double apart(const Tensor& a, const Tensor& b) { return ((a - b).abs().max() / b.abs().max()).item<double>(); }

void check_apart(const std::vector<Tensor>& found, const std::vector<Tensor>& wanted, double bound) {
  REQUIRE(found.size() == wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error = apart(found[i], wanted[i]);
    CAPTURE(i, error, found[i], wanted[i]);
    CHECK(error < bound);
    CHECK(wanted[i].abs().max().item<double>() > 1e-3);  // there is something to compare
  }
}

std::vector<GradientMode> modes_of(const std::string& solver) {
  std::vector<GradientMode> modes{GradientMode::plain, GradientMode::checkpointed};
  if (solver == "reversible_heun") modes.push_back(GradientMode::reversible);
  return modes;
}

}  // namespace

TEST_CASE("run gradient: start, weights and condition, in every mode, as central differences have them",
          "[run_gradient]") {
  for (const std::string solver : {"heun", "dpmpp_2m", "euler_ancestral", "reversible_heun"}) {
    for (const Final final : {Final::zero, Final::sigma_min}) {
      for (const double scale : {1.0, 2.0}) {
        Run run{solver, karras(6, final), {.scale = scale}};
        const std::vector<Tensor> wanted = differences(run);
        for (const GradientMode mode : modes_of(solver)) {
          CAPTURE(solver, to_string(final), scale, static_cast<int>(mode));
          run.options.mode = mode;
          check_apart(gradients(run), wanted, kAgainstDifferences);
        }
      }
    }
  }
}

TEST_CASE("run gradient: checkpointed runs of every solver are the plain ones", "[run_gradient]") {
  each_solver([](const std::string& name, const Solver& solver) {
    for (const Final final : {Final::zero, Final::sigma_min}) {
      if (name == "plan" && final == Final::zero) continue;  // its grid ends at a positive level
      Run run{name, karras(5, final), {}, {.mode = GradientMode::plain}};
      const Tensor end = run.result(tiny(some_weights()), solver, run.start(), some_weights(), some_shift()).x;
      const std::vector<Tensor> wanted = gradients(run);
      for (const int64_t segment : {0, 1, 100}) {
        CAPTURE(to_string(final), segment);
        run.options = {.mode = GradientMode::checkpointed, .segment = segment};
        const Tensor x = run.start().requires_grad_(true);
        CHECK(same_bits(run.result(tiny(some_weights()), solver, x, some_weights(), some_shift()).x.detach(), end));
        const std::vector<Tensor> found = gradients(run);
        for (std::size_t i = 0; i < wanted.size(); ++i) {
          const double bound = kBetweenModes * (1.0 + wanted[i].abs().max().item<double>());
          CAPTURE(i, found[i], wanted[i]);
          CHECK(at::allclose(found[i], wanted[i], 0.0, bound));
        }
      }
    }
  });
}

TEST_CASE("run gradient: a run that is run backwards has the plain gradients, and comes back", "[run_gradient]") {
  for (const int64_t steps : {1, 2, 10, 50, 200}) {
    for (const Final final : {Final::zero, Final::sigma_min}) {
      CAPTURE(steps, to_string(final));
      Run run{"reversible_heun", karras(steps, final, 0.02), {}, {.mode = GradientMode::plain}};
      const std::vector<Tensor> wanted = gradients(run);
      run.options.mode = GradientMode::reversible;
      check_apart(gradients(run), wanted, 1e-9);
      const auto solver = solver_for(run.solver);
      for (const auto& [type, bound] : {std::pair{at::kDouble, 1e-10}, std::pair{at::kFloat, 1e-2}}) {
        const LambdaDenoiser model = tiny(some_weights().to(type));
        const Tensor x = run.start().to(type);
        const Tensor back = rebuilt_start({model, run.flow, run.noise}, *solver, FixedGrid(run.grid),
                                          run.begin(*solver, x, some_shift()));
        CHECK(back.scalar_type() == type);
        CHECK(apart(back, x) < bound);
      }
    }
  }
}

TEST_CASE("run gradient: backward computes again what it must, and keeps what it says", "[run_gradient]") {
  // Hidden layers, which tanh keeps for its gradient: how many there have been, and how many are alive.
  std::vector<c10::weak_intrusive_ptr<c10::StorageImpl>> seen;
  std::size_t most = 0;
  const auto alive = [&] {
    std::size_t count = 0;
    for (const auto& hidden : seen) count += hidden.expired() ? 0 : 1;
    return count;
  };
  const Tensor weights = some_weights().requires_grad_(true);
  const LambdaDenoiser model = tiny(weights, [&](const Tensor& hidden) {
    seen.push_back(hidden.storage().getWeakStorageImpl());
    most = std::max(most, alive());
  });
  struct Row {
    GradientMode mode;
    std::size_t kept, passes, most;
  };
  // 100 evaluations in segments of 10: one more hidden layer is alive than is kept while the next one is made.
  for (const Row& row : {Row{GradientMode::plain, 100, 100, 100}, Row{GradientMode::checkpointed, 0, 200, 11},
                         Row{GradientMode::reversible, 0, 200, 2}}) {
    CAPTURE(static_cast<int>(row.mode));
    seen.clear();
    most = 0;
    const Run run{"reversible_heun", karras(100, Final::zero)};
    const auto solver = solver_for(run.solver);
    const FixedGrid controller(run.grid);
    const Tensor x = run.start().requires_grad_(true);
    const RunResult end = sample_with_gradients({model, run.flow, run.noise}, *solver, controller,
                                                run.begin(*solver, x, some_shift()), {row.mode, {weights}});
    CHECK(end.nfe.eq(100).all().item<bool>());
    CHECK(alive() == row.kept);
    end.x.sum().backward();
    CHECK(x.grad().defined());
    CHECK(weights.grad().defined());
    CHECK(seen.size() == row.passes);
    CHECK(most <= row.most);
  }
}

TEST_CASE("run gradient: parameters that other tensors make, and twice over one graph", "[run_gradient]") {
  std::vector<Tensor> found;
  for (const GradientMode mode : modes_of("reversible_heun")) {
    const Tensor base = some_weights().requires_grad_(true);
    const Tensor weights = base * 0.5 + base.t() * 0.5;
    const LambdaDenoiser model = tiny(weights);
    const Run run{"reversible_heun", karras(7, Final::zero)};
    const auto solver = solver_for(run.solver);
    const FixedGrid controller(run.grid);
    const RunResult end = sample_with_gradients({model, run.flow, run.noise}, *solver, controller,
                                                run.begin(*solver, run.start(), some_shift()), {mode, {weights}});
    const Tensor loss = end.x.square().sum();
    found.push_back(torch::autograd::grad({loss}, {base}, {}, /*retain_graph=*/true)[0]);
    CHECK(same_bits(torch::autograd::grad({loss}, {base})[0], found.back()));
    CHECK(apart(found.back(), found.front()) < 1e-9);
  }
}

TEST_CASE("run gradient: what cannot be had is said", "[run_gradient]") {
  const Run run{"reversible_heun", karras(4, Final::zero)};
  const auto reversible = solver_for("reversible_heun"), heun = solver_for("heun");
  const FixedGrid controller(run.grid);
  const Tensor weights = some_weights().requires_grad_(true);
  const LambdaDenoiser model = tiny(weights);
  const Problem problem{model, run.flow, run.noise};
  const Tensor x = run.start().requires_grad_(true);
  const RunState start = run.begin(*reversible, x, some_shift());
  const auto with = [&](GradientMode mode, const Solver& solver) {
    return sample_with_gradients(problem, solver, controller, run.begin(solver, x, some_shift()), {mode});
  };
  CHECK_THROWS_WITH(with(GradientMode::checkpointed, *heun), contains("[3, 3]") && contains("`parameters`"));
  CHECK_THROWS_WITH(with(GradientMode::reversible, *heun), contains("'heun' cannot be run backwards"));
  const RunResult end = with(GradientMode::reversible, *reversible);
  CHECK_THROWS_WITH(end.x.sum().backward(), contains("`parameters`"));
  CHECK_THROWS_AS(
      sample_with_gradients(problem, *reversible, controller, advance(problem, *reversible, controller, start),
                            {GradientMode::reversible, {weights}}),
      UsageError);
  CHECK_THROWS_WITH(sample_with_gradients(problem, *heun, controller, start, {.segment = -1}), contains("segment"));
  const ReverseSde sde(1.0);
  CHECK_THROWS_WITH(sample_with_gradients({model, sde, run.noise}, *heun, controller, start),
                    contains("integrates ODEs only"));
  const at::NoGradGuard no_grad;
  CHECK_FALSE(with(GradientMode::checkpointed, *heun).x.requires_grad());
}

}  // namespace stride
