// Claimed orders against measured ones: every solver of the registry, on flows whose answer is known. With
// STRIDE_MEASURED_ORDERS=FILE what was measured is kept there; docs/results/orders.json is such a file.
#include "tests/solvers/fixtures.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

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

// Two components in one dimension. The flow is monotone there and carries quantiles along: its answer is known as well.
struct MixtureFlow {
  MixtureFlow() {
    ModelInfo info;
    info.name = "two components";
    info.kind = "gaussian_mixture";
    info.shape = {1};
    denoiser = std::make_unique<GaussianMixture>(
        info, GaussianMixtureOptions{{weights[0], weights[1]}, {{means[0]}, {means[1]}}, {std[0], std[1]}, {}},
        device());
  }
  [[nodiscard]] Tensor quantile(const Tensor& x, double sigma) const {
    Tensor sum = at::zeros_like(x);
    for (int k = 0; k < 2; ++k)
      sum = sum + weights[k] * at::erf((x - means[k]) / std::sqrt(2.0 * (std[k] * std[k] + sigma * sigma)));
    return sum;
  }
  [[nodiscard]] Tensor exact(const Tensor& x, double from, double to) const {
    const Tensor wanted = quantile(x, from);
    Tensor low = at::full_like(x, -50.0);
    Tensor high = at::full_like(x, 50.0);
    for (int i = 0; i < 100; ++i) {
      const Tensor middle = 0.5 * (low + high);
      const Tensor below = quantile(middle, to) < wanted;
      low = at::where(below, middle, low);
      high = at::where(below, high, middle);
    }
    return 0.5 * (low + high);
  }

  static constexpr double weights[] = {0.4, 0.6};
  static constexpr double means[] = {-1.0, 0.8};
  static constexpr double std[] = {0.5, 0.4};
  std::unique_ptr<GaussianMixture> denoiser;
};

// Error at the end of N steps from `high` before the last jump; `primed`: the history holds exact evaluations.
template <class Flow>
double flow_error(const Flow& flow, const Solver& solver, int64_t steps, double high, bool primed) {
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
    state = state.handed_over(history.state({state.history.slots().end() - extras, state.history.slots().end()}));
  }
  const ProbabilityFlow term;
  const RunResult result = sample({*flow.denoiser, term, noise}, solver, FixedGrid(grid), state);
  const Tensor error = result.x - flow.exact(x0, grid.start(), grid.end());
  return error.abs().max().item<double>();
}

// D = a sin(kx + 1)/(1 + σ²), of no distribution: smooth, bent and tame. On a Gaussian the drift is linear, and methods
// of strong order 1.5 have order 2 there; between the components of a mixture a few paths that fall to one side or the
// other make up the whole error.
class Wave final : public Denoiser {
 public:
  Wave(double amplitude, double frequency) : amplitude_(amplitude), frequency_(frequency) {
    info_.name = "wave";
    info_.kind = "test";
    info_.shape = {2};
  }
  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma,
                                    const BatchState& /*condition*/) const override {
    return {(frequency_ * x + 1.0).sin() * per_sample(amplitude_ / (1.0 + sigma.square()), x), {}, {}};
  }

 private:
  double amplitude_, frequency_;
  ModelInfo info_;
};

// The order on the Gaussian flow. Where that is above the claim the mixture decides: a method may be better on a
// Gaussian than it is, as the midpoint rule in σ, whose leading error there is zero.
double measured(const Solver& solver, bool primed) {
  const int claim = (primed ? solver.traits().order : solver.traits().start_order).value_or(0);
  // With its own start the range is short and curved, so that what the start costs is seen at moderate N. So it is
  // above fourth order, on coarser grids: elsewhere the roundings come before the order shows.
  const double high = primed && claim <= 4 ? 4.0 : 1.0;
  // A method of low order shows it late, when one of high order has reached the roundings of float64.
  std::vector<int64_t> steps{80, 160, 320};
  if (claim <= 2) steps = {160, 320, 640};
  if (claim > 4) steps = {20, 40, 80};
  const auto order = [&](const auto& flow) {
    std::vector<double> errors;
    for (const int64_t n : steps) errors.push_back(flow_error(flow, solver, n, high, primed));
    return measured_order(steps, errors);
  };
  const double on_gaussian = order(GaussianFlow());
  return on_gaussian > claim + kTolerance ? order(MixtureFlow()) : on_gaussian;
}

bool meets(double order, double claim) { return std::abs(order - claim) <= kTolerance; }

// The strong order on a drift, on one Brownian tree from σ = 1.5 down to `low`.
double strong_order(const Solver& solver, const Denoiser& drift, double low) {
  constexpr double kHigh = 1.5;
  const BrownianTree tree(7, low, kHigh, 14);
  const ProbabilityFlow ode;
  const ReverseSde sde(1.0);
  const Term& term = solver.traits().integrates_sde ? static_cast<const Term&>(sde) : ode;
  const auto end = [&](int64_t steps) {
    const TimeGrid grid(smooth_levels(steps, 0, kHigh, low));
    return sample({drift, term, tree}, solver, FixedGrid(grid), start({drift, solver, tree, grid}, ids(512))).x;
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
  return measured_order(steps, errors);
}

// On a mild drift. Where that is above the claim one of strong curvature decides: only there the noise within a step
// costs more than the drift does.
double measured_strong(const Solver& solver) {
  const double on_wave = strong_order(solver, Wave(0.5, 1.0), 0.3);
  return on_wave > *solver.traits().strong_order + kTolerance ? strong_order(solver, Wave(0.2, 10.0), 0.5) : on_wave;
}

nlohmann::json orders_in(const std::string& path) {
  std::ifstream file(path);
  return file ? nlohmann::json::parse(file) : nlohmann::json::object();
}

// To two decimals: more would differ from machine to machine.
void keep(const std::string& name, const std::string& claim, double order) {
  const char* path = std::getenv("STRIDE_MEASURED_ORDERS");
  if (path == nullptr) return;
  nlohmann::json all = orders_in(path);
  all[name][claim] = std::round(100.0 * order) / 100.0;
  std::ofstream(path) << all.dump(1) << '\n';
}

// The claims of a solver that the suites measure.
std::map<std::string, double> claims(const SolverTraits& traits) {
  std::map<std::string, double> out;
  if (traits.order) out["order"] = *traits.order;
  if (traits.start_order) out["start_order"] = *traits.start_order;
  if (traits.strong_order) out["strong_order"] = *traits.strong_order;
  return out;
}

}  // namespace

TEST_CASE("order: every deterministic solver has the order it claims, history primed exactly", "[order]") {
  each_solver([&](const std::string& name, const Solver& solver) {
    if (!solver.traits().order) return;
    CAPTURE(*solver.traits().order);
    const double order = measured(solver, true);
    keep(name, "order", order);
    CAPTURE(order);
    CHECK(meets(order, *solver.traits().order));
  });
}

TEST_CASE("order: every solver has the order it claims with its own start", "[order]") {
  each_solver([&](const std::string& name, const Solver& solver) {
    if (!solver.traits().start_order) return;
    CAPTURE(*solver.traits().start_order);
    const double order = measured(solver, false);
    keep(name, "start_order", order);
    CHECK(order == Approx(*solver.traits().start_order).margin(kTolerance));
  });
}

TEST_CASE("order: a solver without an order is stochastic, learned, or for consistency models", "[order]") {
  each_solver([](const std::string&, const Solver& solver) {
    const SolverTraits& traits = solver.traits();
    // A consistency sampler noises each step afresh, however short the step: it converges to no path.
    if (traits.family == "consistency" && traits.stochastic) return;
    CHECK((traits.order.has_value() || traits.strong_order.has_value() || traits.family == "learned"));
    CHECK(traits.stochastic == (traits.strong_order.has_value() && !traits.integrates_sde));
  });
}

TEST_CASE("order: stochastic solvers and SDE terms have the strong order they claim, on one Brownian tree", "[order]") {
  each_solver([&](const std::string& name, const Solver& solver) {
    if (!solver.traits().strong_order) return;
    const double order = measured_strong(solver);
    CAPTURE(order);
    keep(name, "strong_order", order);
    CHECK(meets(order, *solver.traits().strong_order));
  });
}

TEST_CASE("order: docs/results/orders.json has every claim measured, and no more", "[order]") {
  const nlohmann::json kept = orders_in(STRIDE_SOURCE_DIR "/docs/results/orders.json");
  INFO(
      "run: echo '{}' > docs/results/orders.json; STRIDE_MEASURED_ORDERS=docs/results/orders.json test_solvers "
      "'order*'");
  std::map<std::string, std::map<std::string, double>> left = kept;
  for (const std::string& name : all_solvers()) {
    for (const auto& [claim, order] : claims(solver_for(name)->traits())) {
      CAPTURE(name, claim);
      REQUIRE(left[name].contains(claim));
      CHECK(meets(left[name][claim], order));
      left[name].erase(claim);
    }
  }
  for (const auto& [name, measurements] : left) {
    CAPTURE(name);
    CHECK(measurements.empty());
  }
}

}  // namespace stride
