// Claimed orders against measured ones: every solver of the registry, on flows whose answer is known.
#include "tests/solvers/fixtures.h"

#include <cmath>

namespace stride {
namespace {

using namespace fixtures;

constexpr double kTolerance = 0.15;

// A smooth grid of N steps from `high` to `low`, with `extra` levels before it on the same curve.
std::vector<double> smooth_levels(int64_t steps, int64_t extra, double high, double low) {
  std::vector<double> levels;
  const double a = std::pow(high, 1.0 / 3.0);
  const double b = std::pow(low, 1.0 / 3.0);
  for (int64_t i = -extra; i <= steps; ++i)
    levels.push_back(std::pow(a + (b - a) * static_cast<double>(i) / static_cast<double>(steps), 3.0));
  return levels;
}

// Error at the end of N steps before the last jump; `primed`: the history holds exact evaluations.
double flow_error(const Solver& solver, int64_t steps, bool primed) {
  // With its own start the range is short and curved, so that what the start costs is seen at moderate N.
  const double high = primed ? 4.0 : 1.0;
  const GaussianFlow flow;
  const PhiloxNoise noise;
  const int64_t window = primed ? solver.traits().history : 0;
  const std::vector<double> levels = smooth_levels(steps, window, high, 0.3);
  const TimeGrid grid(std::vector<double>(levels.begin() + window, levels.end()));
  RunState state = start({*flow.denoiser, solver, noise, grid}, ids(4));
  const Tensor x0 = state.x;
  if (window > 0) {
    const auto extras = static_cast<std::ptrdiff_t>(solver.traits().extras);
    History history = History::from_state(state.history, x0, extras);
    for (int64_t i = 0; i < window; ++i) {
      const double level = levels[static_cast<std::size_t>(i)];
      const Tensor x = flow.exact(x0, grid.start(), level);
      const Tensor sigma = at::full_like(state.sigma, level);
      const Tensor denoised = flow.denoiser->evaluate(x, sigma, {}).denoised;
      history = history.push({sigma, denoised, (x - denoised) / level});
    }
    state.history = history.state({state.history.slots().end() - extras, state.history.slots().end()});
  }
  const ProbabilityFlow term;
  const RunResult result = sample({*flow.denoiser, term, noise}, solver, FixedGrid(grid), state);
  return (result.x - flow.exact(x0, grid.start(), grid.end())).abs().max().item<double>();
}

// D = a sin(kx + 1)/(1 + σ²), of no distribution. A strong order is the least one over a tame wave and a bent one: the
// straighter a drift, the more a method of order 1.5 looks like one of order 2; the more it bends, the longer the start
// of a multistep method outweighs the rest. Between the components of a mixture a few paths make up the whole error.
class Wave final : public Denoiser {
 public:
  Wave(double height, double number) : height_(height), number_(number) {
    info_.name = "wave";
    info_.kind = "test";
    info_.shape = {2};
  }
  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma,
                                    const BatchState& /*condition*/) const override {
    return {(number_ * x + 1.0).sin() * per_sample(height_ / (1.0 + sigma.square()), x), {}, {}};
  }

 private:
  double height_, number_;
  ModelInfo info_;
};

double measured(const Solver& solver, bool primed) {
  const std::vector<int64_t> steps{80, 113, 160, 226, 320};
  std::vector<double> errors;
  for (const int64_t n : steps) errors.push_back(flow_error(solver, n, primed));
  return measured_order(steps, errors);
}

}  // namespace

TEST_CASE("order: every deterministic solver has the order it claims, history primed exactly", "[order]") {
  for (const std::string& name : all_solvers()) {
    const auto solver = make_solver(runnable(name));
    if (!solver->traits().order) continue;
    CAPTURE(name, *solver->traits().order);
    const double order = measured(*solver, true);
    CHECK(order == Approx(*solver->traits().order).margin(kTolerance));
  }
}

TEST_CASE("order: every solver has the order it claims with its own start", "[order]") {
  for (const std::string& name : all_solvers()) {
    const auto solver = make_solver(runnable(name));
    if (!solver->traits().start_order) continue;
    CAPTURE(name, *solver->traits().start_order);
    const double order = measured(*solver, false);
    CHECK(order == Approx(*solver->traits().start_order).margin(kTolerance));
  }
}

TEST_CASE("order: a solver without an order is stochastic or learned", "[order]") {
  for (const std::string& name : all_solvers()) {
    const SolverTraits traits = make_solver(runnable(name))->traits();
    CAPTURE(name);
    CHECK((traits.order.has_value() || traits.strong_order.has_value() || traits.family == "learned"));
    CHECK(traits.stochastic == (traits.strong_order.has_value() && !traits.integrates_sde));
  }
}

TEST_CASE("order: stochastic solvers and SDE terms have the strong order they claim, on one Brownian tree", "[order]") {
  constexpr double kHigh = 1.5;
  const BrownianTree tree(7, 0.3, kHigh, 14);
  const ProbabilityFlow ode;
  const ReverseSde sde(1.0);
  const Tensor samples = ids(512);
  for (const std::string& name : all_solvers()) {
    const auto solver = make_solver(runnable(name));
    if (!solver->traits().strong_order) continue;
    const Term& term = solver->traits().integrates_sde ? static_cast<const Term&>(sde) : ode;
    double order = std::numeric_limits<double>::infinity();
    for (const Wave& model : {Wave(0.5, 1.0), Wave(0.15, 10.0)}) {
      const auto end = [&](int64_t steps) {
        const TimeGrid grid(smooth_levels(steps, 0, kHigh, 0.3));
        return sample({model, term, tree}, *solver, FixedGrid(grid), start({model, *solver, tree, grid}, samples)).x;
      };
      // N steps against 2N: a fine run in the place of the exact end would raise the slope by its own error.
      const std::vector<int64_t> steps{32, 64, 128};
      std::vector<double> errors;
      Tensor coarse = end(steps.front());
      for (const int64_t n : steps) {
        const Tensor fine = end(2 * n);
        errors.push_back((coarse - fine).square().sum(1).mean().sqrt().item<double>());
        coarse = fine;
      }
      order = std::min(order, measured_order(steps, errors));
    }
    CAPTURE(name);
    CHECK(order == Approx(*solver->traits().strong_order).margin(kTolerance));
  }
}

}  // namespace stride
