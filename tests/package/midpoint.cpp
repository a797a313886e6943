// A user's own sampler against an installed Stride: the midpoint method, run on a Gaussian whose flow is known.
#include "framework/fixed_grid.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/sample.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>

#include <cmath>
#include <cstdio>

namespace {

class Midpoint final : public stride::Solver {
 public:
  const stride::SolverTraits& traits() const noexcept override { return traits_; }
  stride::StepResult step(stride::Step& step, const at::Tensor& x, const stride::BatchState& history) const override {
    const stride::Times middle = (step.from * step.to).sqrt();
    const at::Tensor denoised = step.denoise(x, step.from);
    const at::Tensor half = x + stride::per_sample(middle - step.from, x) * step.term().drift(x, step.from, denoised);
    const at::Tensor slope = step.term().drift(half, middle, step.denoise(half, middle));
    return {x + stride::per_sample(step.to - step.from, x) * slope, history, denoised, {}};
  }

 private:
  stride::SolverTraits traits_{
      {.name = "midpoint"}, {.order = 2, .nfe = [](int64_t n, bool zero) { return 2 * n - zero; }}, {}};
};

// x(σ) = x(σ₀)·√((s² + σ²)/(s² + σ₀²)) for a Gaussian of mean 0 and standard deviation s.
double error(const stride::Solver& solver, int64_t steps) {
  const double s = 0.5;
  stride::ModelInfo info;
  info.name = "gaussian";
  info.shape = {2};
  const stride::GaussianMixture denoiser(info, {.weights = {1.0}, .means = {{0.0, 0.0}}, .std = {s}, .classes = {}});
  const stride::TimeGrid grid = stride::make_grid(
      stride::Spec::parse("karras"), {.steps = steps, .sigma_max = 20.0, .final = stride::Final::sigma_min});
  const stride::FixedGrid controller(grid);
  const stride::ProbabilityFlow term;
  const stride::NoNoise noise;
  const stride::Problem problem{denoiser, term, noise};
  const at::Tensor x = at::full({1, 2}, 20.0, at::kDouble);
  stride::RunConstant constant{at::zeros({1}, at::kLong), {}, grid.rows(1, at::kCPU), {}};
  const auto start = stride::start_run(solver, controller, constant, x, constant.grid.select(1, 0));
  const at::Tensor end = stride::sample(problem, solver, controller, start).x;
  const double exact = 20.0 * std::sqrt((s * s + grid.end() * grid.end()) / (s * s + 400.0));
  return std::abs(end[0][0].item<double>() - exact);
}

}  // namespace

int main() {
  const Midpoint midpoint;
  const double coarse = error(midpoint, 32), fine = error(midpoint, 64);
  const double euler = error(*stride::make_solver("euler"), 64);
  std::printf("midpoint: %.3e with 32 steps, %.3e with 64, order %.2f; euler with 64: %.3e\n", coarse, fine,
              std::log2(coarse / fine), euler);
  return std::log2(coarse / fine) > 1.8 && fine < euler ? 0 : 1;
}
