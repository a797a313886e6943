// What the plan tests share: an exact denoiser, starts and end points.
#pragma once

#include "adaptive/plan/plan_fit.h"
#include "adaptive/plan/plan_runs.h"
#include "framework/fixed_grid.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/noise/noise.h"
#include "framework/sample.h"
#include "solvers/registry.h"
#include "tests/catch_torch.h"

namespace stride::test {

/// Four components on eight dimensions, as 2×4 "images"; with classes where asked for; `width` times as wide.
inline GaussianMixture plan_mixture(bool classes = false, double width = 1.0) {
  ModelInfo info;
  info.name = "test";
  info.kind = "gaussian_mixture";
  info.shape = {2, 4};
  if (classes) info.conditions = {{"class", 2, {}}};
  GaussianMixtureOptions options;
  options.weights = {0.4, 0.3, 0.2, 0.1};
  options.means = {{1, -1, 0.5, 0, 0.3, -0.2, 0.8, -1},
                   {-1, 0.5, -0.5, 1, 0, 0.7, -0.6, 0.2},
                   {0.2, 0.9, 1, -0.8, -0.4, -1, 0.1, 0.6},
                   {-0.7, -0.6, 0.2, 0.3, 1, 0.4, -1, -0.3}};
  options.std = {0.15 * width, 0.2 * width, 0.1 * width, 0.25 * width};
  if (classes) options.classes = {0, 0, 1, 1};
  return {info, options};
}

inline Tensor plan_start(int64_t first_seed, int64_t count, at::ScalarType dtype = at::kDouble,
                         double sigma_max = 80.0) {
  return PhiloxNoise().initial(at::arange(first_seed, first_seed + count, at::kLong), {2, 4}, dtype) * sigma_max;
}

/// Where 40 steps of Heun's method take the starts.
inline Tensor teacher_ends(const Denoiser& model, const Tensor& start) {
  const int64_t n = start.size(0);
  const TimeGrid grid = make_grid(Spec::parse("karras"), {.steps = 40});
  const FixedGrid controller(grid);
  const auto heun = make_solver("heun");
  const ProbabilityFlow term;
  const NoNoise noise;
  const RunConstant constant{at::arange(n, at::kLong), {}, grid.rows(n, at::kCPU), {}};
  const RunState begin = start_run(*heun, controller, constant, start, constant.grid.select(1, 0));
  return sample({model, term, noise}, *heun, controller, begin).x;
}

/// √ of the mean squared difference over all samples and entries.
inline double end_point_rmse(const Tensor& x, const Tensor& target) {
  return (x.to(at::kDouble) - target).square().mean().sqrt().item<double>();
}

inline std::vector<double> zeros(const PlanParameters& space) {
  return std::vector<double>(static_cast<std::size_t>(space.size()), 0.0);
}

/// Different small parameters everywhere, the same each time.
inline std::vector<double> off_theory(const PlanParameters& space, double size) {
  std::vector<double> values = zeros(space);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = size * std::sin(1.7 * static_cast<double>(i) + 0.5);
  return values;
}

inline double difference(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace stride::test
