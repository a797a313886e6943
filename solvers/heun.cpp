// Heun's method: the trapezoid over an Euler prediction, Karras et al. 2022 (arXiv:2206.00364) alg. 1.
#include "solvers/solver_list.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class Heun final : public Solver {
 public:
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_heun(); }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor h = per_sample(step.to - step.from, x);
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor slope_from = step.term().drift(x, step.from, denoised);
    const Tensor euler = x + h * slope_from;
    const Tensor slope_to = step.term().drift(euler, step.to, step.denoise(euler, step.to));
    const Tensor next = x + 0.5 * h * (slope_from + slope_to);
    return {next, history, denoised, next - euler};
  }
};

}  // namespace

const SolverTraits& traits_heun() {
  static const SolverTraits traits{.name = "heun",
                                   .aliases = {"Heun", "HeunDiscreteScheduler"},
                                   .family = "one-step",
                                   .order = 2,
                                   .start_order = 2,
                                   .error_order = 2,
                                   .reference = "Karras et al. 2022, arXiv:2206.00364, alg. 1",
                                   .summary = "two evaluations a step; its Euler part gives an error estimate",
                                   .options = "",
                                   .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler",
                                            "EDM", "stable-diffusion.cpp"},
                                   .nfe = evaluations(2)};
  return traits;
}

std::unique_ptr<Solver> make_heun(SolverOptions& /*options*/) { return std::make_unique<Heun>(); }

}  // namespace stride
