#include "solvers/shared/theta.h"

#include "solvers/shared/tangent.h"

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
    // With x′ = D + (to/from)(x − D) + y the equation is y = θ (1 − from/to)(D − D(x′) + y): see tangent.h.
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor start = shrunk(x, denoised, step.to / step.from);
    const Tensor share = per_sample(1.0 - step.from / step.to, x);
    Tensor bend, off = at::zeros_like(x);
    LastChanges changes{{}, start - x};
    for (int64_t i = 0; i < iterations_; ++i) {
      bend = share * (denoised - step.denoise(start + off, step.to) + off);
      changes = {std::move(changes.last), theta_ * bend - off};
      off = theta_ * bend;
    }
    return {start + off, history, denoised, 0.5 * bend, std::move(changes)};
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
