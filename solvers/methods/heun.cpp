// Heun's method: the trapezoid over an Euler prediction, Karras et al. 2022 (arXiv:2206.00364) alg. 2, alg. 1 without
// churn.
#include "solvers/methods/heun.h"

#include "solvers/shared/churn.h"
#include "solvers/shared/tangent.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class Heun final : public Method {
 public:
  Heun(const SolverTraits& traits, const Churn& churn) : Method(churn.claims(traits)), churn_(churn) {}

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const auto [start, from] = churn_.raise(step, x);
    const HeunStep heun = heun_step(step, start, from, step.to);
    return {heun.next, history, heun.denoised, heun.error};
  }

  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    return churn_.finish(step, x, history);
  }

 private:
  Churn churn_;
};

}  // namespace

HeunStep heun_step(Step& step, const Tensor& x, const Times& from, const Times& to) {
  const Tensor denoised = step.denoise(x, from);
  const Tensor euler = shrunk(x, denoised, to / from);
  // (to − from)/2 times the difference of the slopes, (D − D(euler))/to.
  const Tensor bend = per_sample(0.5 * (1.0 - from / to), x) * (denoised - step.denoise(euler, to));
  return {euler + bend, bend, denoised};
}

SolverEntry solver_heun() {
  return solver_entry(
      {.name = "heun",
       .aliases = {"Heun", "HeunDiscreteScheduler"},
       .family = "one-step",
       .reference = "Karras et al. 2022, arXiv:2206.00364, alg. 2",
       .summary = "two evaluations per step; its Euler part gives an error estimate",
       .variants = {"s_churn=6,s_tmin=0.1,s_tmax=10,s_noise=1.007"},
       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler", "EDM",
                "stable-diffusion.cpp"}},
      {.order = 2, .start_order = 2, .error_order = 2, .nfe = evaluations(2)}, {}, Churn::declared(),
      [](SolverTraits traits, const Churn& options) { return std::make_unique<Heun>(std::move(traits), options); });
}

}  // namespace stride
