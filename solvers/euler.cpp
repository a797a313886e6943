// Euler's method on the term: Karras et al. 2022 (arXiv:2206.00364) alg. 1 without its correction. Under a
// ReverseSde it is Euler–Maruyama (Kloeden & Platen 1992 §10.2), of strong order 1 as the noise is additive.
#include "solvers/solver_list.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class Euler final : public Solver {
 public:
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_euler(); }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor denoised = step.denoise(x, step.from);
    Tensor next = x + per_sample(step.to - step.from, x) * step.term().drift(x, step.from, denoised);
    if (step.term().stochastic())
      next = next + per_sample(step.term().noise_std(step.from, step.to), x) * step.noise(x);
    return {next, history, denoised, {}};
  }
};

}  // namespace

const SolverTraits& traits_euler() {
  static const SolverTraits traits{
      .name = "euler",
      .aliases = {"Euler", "EulerDiscreteScheduler"},
      .family = "one-step",
      .order = 1,
      .start_order = 1,
      .strong_order = 1.0,
      .integrates_sde = true,
      .reference = "Karras et al. 2022, arXiv:2206.00364, alg. 1 without lines 6-8",
      .summary = "one evaluation, one tangent",
      .options = "",
      .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_euler(SolverOptions& /*options*/) { return std::make_unique<Euler>(); }

}  // namespace stride
