// k-diffusion's DPM2: the midpoint rule with the middle in ln σ, as DPM-Solver-2 (Lu et al. 2022, arXiv:2206.00927,
// alg. 1) has it, but with straight lines in σ as Karras et al. 2022 (arXiv:2206.00364, alg. 2).
#include "solvers/shared/tangent.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class Dpm2 final : public Method {
 public:
  using Method::Method;

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Times middle = (step.from.log() + step.to.log()).mul(0.5).exp();
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor half = shrunk(x, denoised, middle / step.from);
    const Tensor bend = per_sample((step.to - step.from) / middle, x) * (denoised - step.denoise(half, middle));
    return {shrunk(x, denoised, step.to / step.from) + bend, history, denoised, bend};
  }
};

}  // namespace

SolverEntry solver_dpm2() {
  return solver_entry(
      {.name = "dpm2",
       .aliases = {"KDPM2", "kdpm_2", "KDPM2DiscreteScheduler"},
       .family = "one-step",
       .reference = "k-diffusion, after Lu et al. 2022, arXiv:2206.00927, alg. 1",
       .summary = "midpoint rule with the geometric middle; its Euler part gives an error estimate",
       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler", "stable-diffusion.cpp"}},
      {.order = 2, .start_order = 2, .error_order = 2, .nfe = evaluations(2)}, {},
      [](SolverTraits traits) { return std::make_unique<Dpm2>(std::move(traits)); });
}

}  // namespace stride
