#include "solvers/checks/orders.h"

#include "framework/fixed_grid.h"
#include "solvers/checks/checked_run.h"
#include "solvers/checks/exact_flows.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {
namespace {

Tensor ids_on(int64_t batch, at::Device device) {
  return at::arange(batch, at::TensorOptions().dtype(at::kLong).device(device));
}

// A smooth grid of N steps from `high` to `low`, with `extra` levels before it on the same curve.
std::vector<double> smooth_levels(int64_t steps, int64_t extra, double high, double low) {
  std::vector<double> levels;
  const double a = std::pow(high, 1.0 / 3.0);
  const double b = std::pow(low, 1.0 / 3.0);
  for (int64_t i = -extra; i <= steps; ++i)
    levels.push_back(std::pow(a + (b - a) * static_cast<double>(i) / static_cast<double>(steps), 3.0));
  return levels;
}

// Error at the end of N steps from `high` before the last jump; `primed`: the history holds exact evaluations.
template <class Flow>
double flow_error(const Flow& flow, const Solver& solver, int64_t steps, double high, bool primed, at::Device device) {
  const PhiloxNoise noise;
  const int64_t window = primed ? solver.traits().history : 0;
  const std::vector<double> levels = smooth_levels(steps, window, high, 0.3);
  const TimeGrid grid(std::vector<double>(levels.begin() + window, levels.end()));
  RunState state = checked_start({*flow.denoiser, solver, noise, grid}, ids_on(4, device));
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
  return error.abs().max().template item<double>();
}

// The strong order on a drift, on one Brownian tree from σ = 1.5 down to `low`.
double strong_order(const Solver& solver, const Denoiser& drift, double low, at::Device device) {
  constexpr double kHigh = 1.5;
  const BrownianTree tree(7, low, kHigh, 14);
  const ProbabilityFlow ode;
  const ReverseSde sde(1.0);
  const Term& term = solver.traits().integrates_sde ? static_cast<const Term&>(sde) : ode;
  const auto end = [&](int64_t steps) {
    const TimeGrid grid(smooth_levels(steps, 0, kHigh, low));
    return sample({drift, term, tree}, solver, FixedGrid(grid),
                  checked_start({drift, solver, tree, grid}, ids_on(512, device)))
        .x;
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
  return slope_of(steps, errors);
}

}  // namespace

double slope_of(const std::vector<int64_t>& steps, const std::vector<double>& errors) {
  double mean_x = 0.0;
  double mean_y = 0.0;
  const auto count = static_cast<double>(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    mean_x -= std::log(static_cast<double>(steps[i])) / count;
    mean_y += std::log(errors[i]) / count;
  }
  double covariance = 0.0;
  double variance = 0.0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double dx = -std::log(static_cast<double>(steps[i])) - mean_x;
    covariance += dx * (std::log(errors[i]) - mean_y);
    variance += dx * dx;
  }
  return covariance / variance;
}

double measured_order(const Solver& solver, bool primed, at::Device device) {
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
    for (const int64_t n : steps) errors.push_back(flow_error(flow, solver, n, high, primed, device));
    return slope_of(steps, errors);
  };
  const double on_gaussian = order(ExactGaussian(3, device));
  return on_gaussian > claim + kOrderTolerance ? order(ExactMixture(device)) : on_gaussian;
}

// On a mild drift. Where that is above the claim one of strong curvature decides: only there the noise within a step
// costs more than the drift does.
double measured_strong_order(const Solver& solver, at::Device device) {
  const double on_wave = strong_order(solver, WaveDenoiser(0.5, 1.0), 0.3, device);
  const bool above = solver.traits().strong_order && on_wave > *solver.traits().strong_order + kOrderTolerance;
  return above ? strong_order(solver, WaveDenoiser(0.2, 10.0), 0.5, device) : on_wave;
}

bool meets(double order, double claim) { return std::abs(order - claim) <= kOrderTolerance; }

}  // namespace stride
