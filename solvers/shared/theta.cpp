#include "solvers/shared/theta.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr int64_t kIterations = 3;

class Theta final : public Solver {
 public:
  Theta(SolverTraits traits, double theta, int64_t iterations)
      : traits_(std::move(traits)), theta_(theta), iterations_(iterations) {}
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor h = per_sample(step.to - step.from, x);
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor slope_from = step.term().drift(x, step.from, denoised);
    Tensor next = x + h * slope_from;
    Tensor slope_to;
    for (int64_t i = 0; i < iterations_; ++i) {
      slope_to = step.term().drift(next, step.to, step.denoise(next, step.to));
      next = x + h * ((1.0 - theta_) * slope_from + theta_ * slope_to);
    }
    return {next, history, denoised, 0.5 * h * (slope_to - slope_from)};
  }

 private:
  SolverTraits traits_;
  double theta_;
  int64_t iterations_;
};

}  // namespace

SolverTraits theta_traits(SolverTraits traits) {
  traits.family = "one-step";
  traits.start_order = traits.order;
  traits.error_order = 2;
  traits.options = fmt::format("iterations={}", kIterations);
  traits.variants = {"iterations=1", "iterations=6"};
  traits.nfe = evaluations(1 + kIterations);
  return traits;
}

std::unique_ptr<Solver> make_theta(SolverTraits traits, double theta, SolverOptions& options) {
  const int64_t iterations = options.integer("iterations", kIterations);
  if (iterations < 1)
    throw UsageError(fmt::format("solver '{}': iterations must be at least 1, not {}", traits.name, iterations));
  traits.nfe = evaluations(1 + iterations);
  return std::make_unique<Theta>(std::move(traits), theta, iterations);
}

}  // namespace stride
