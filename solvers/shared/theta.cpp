#include "solvers/shared/theta.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr int64_t kIterations = 3;

struct ThetaOptions {
  int64_t iterations = kIterations;
};

class Theta final : public Method {
 public:
  Theta(SolverTraits traits, double theta, int64_t iterations)
      : Method(std::move(traits)), theta_(theta), iterations_(iterations) {}

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
  double theta_;
  int64_t iterations_;
};

}  // namespace

SolverEntry theta_entry(SolverCard card, int order, double theta) {
  card.family = "one-step";
  card.variants = {"iterations=1", "iterations=6"};
  return solver_entry(std::move(card),
                      {.order = order, .start_order = order, .error_order = 2, .nfe = evaluations(1 + kIterations)}, {},
                      options<ThetaOptions>(integer("iterations", &ThetaOptions::iterations, at_least(1),
                                                    "fixed-point iterations in each step, one evaluation each")),
                      [theta](SolverTraits traits, const ThetaOptions& options) {
                        traits.nfe = evaluations(1 + options.iterations);
                        return std::make_unique<Theta>(std::move(traits), theta, options.iterations);
                      });
}

}  // namespace stride
