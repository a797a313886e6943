// DPM2 a: k-diffusion's sample_dpm_2_ancestral, the midpoint rule down to σ_down with the middle in ln σ, then noise up
// to the next level.
#include "solvers/shared/sde_path.h"
#include "solvers/shared/tangent.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class Dpm2Ancestral final : public Method {
 public:
  Dpm2Ancestral(const SolverTraits& traits, const SdeOptions& sde) : Method(claims(traits, sde, 2, 2)), sde_(sde) {}

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const SdeJump jump = sde_jump(step.from, step.to, at::full_like(step.from, sde_.eta), sde_.kind);
    const Times down = jump.keep * step.from;
    const Times middle = (step.from.log() + down.log()).mul(0.5).exp();
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor half = shrunk(x, denoised, middle / step.from);
    const Tensor bend = per_sample((down - step.from) / middle, x) * (denoised - step.denoise(half, middle));
    Tensor next = shrunk(x, denoised, jump.keep) + bend;
    if (sde_.draws()) next = next + per_sample(sde_.s_noise * jump.noise_std, x) * step.noise(x);
    return {next, history, denoised, {}};
  }

 private:
  SdeOptions sde_;
};

}  // namespace

SolverEntry solver_dpm2_ancestral() {
  return solver_entry(
      {.name = "dpm2_ancestral",
       .aliases = {"kdpm_2_a", "KDPM2AncestralDiscreteScheduler"},
       .family = "stochastic",
       .reference = "k-diffusion sample_dpm_2_ancestral, after Lu et al. 2022, arXiv:2206.00927, alg. 1",
       .summary = "midpoint rule down to sigma_down, then noise; second order at eta = 0",
       .variants = {"eta=0.5,s_noise=1.1", "eta=0"},
       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI"}},
      {.strong_order = 1.0, .nfe = evaluations(2)}, {.stochastic = true}, SdeOptions::declared(SdeKind::ancestral),
      [](SolverTraits traits, const SdeOptions& options) {
        return std::make_unique<Dpm2Ancestral>(std::move(traits), options);
      });
}

}  // namespace stride
