// A solver of your own: the midpoint rule in σ, held to its order on a Gaussian, whose flow is known.
#include <ATen/ATen.h>
#include <stride/stride.h>

#include <cmath>
#include <cstdio>

using namespace stride;

class Midpoint final : public Solver {
 public:
  Midpoint() {
    traits_.name = "my_midpoint";
    traits_.nfe = [](int64_t steps, bool final_zero) { return 2 * steps - final_zero; };
  }
  const SolverTraits& traits() const noexcept override { return traits_; }
  StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Times middle = (step.from * step.to).sqrt();
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor half = x + per_sample(middle - step.from, x) * step.term().drift(x, step.from, denoised);
    const Tensor slope = step.term().drift(half, middle, step.denoise(half, middle));
    return {x + per_sample(step.to - step.from, x) * slope, history, denoised, {}};
  }

 private:
  SolverTraits traits_;
};

int main() {
  const GaussianMixture gaussian({.shape = {1}}, {.weights = {1}, .means = {{0}}, .std = {1}});
  const auto error = [&](int64_t steps) {
    const SampleSettings settings{.steps = steps, .final = "sigma_min", .init = at::ones({1, 1}), .dtype = at::kDouble};
    const double end = sample(gaussian, std::make_shared<Midpoint>(), settings, "0").x.item<double>();
    return std::abs(end - 80.0 * std::sqrt((1.0 + 0.002 * 0.002) / (1.0 + 80.0 * 80.0)));
  };
  const double order = std::log2(error(32) / error(64));
  std::printf("error %.2e with 32 steps, %.2e with 64: order %.2f\n", error(32), error(64), order);
  return std::abs(order - 2.0) < 0.2 ? 0 : 1;
}
