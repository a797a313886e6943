// Euler's method on the term: Karras et al. 2022 (arXiv:2206.00364) alg. 1 without its correction. Under a
// ReverseSde it is Euler–Maruyama (Kloeden & Platen 1992 §10.2), of strong order 1 as the noise is additive. error=heun
// asks the denoiser once more, at the predicted point (without the noise), and gives Heun − Euler as the error
// estimate.
#include "framework/error.h"
#include "solvers/solver_list.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

class Euler final : public Solver {
 public:
  explicit Euler(bool estimates) : traits_(traits_euler()), estimates_(estimates) {
    if (!estimates) return;
    traits_.error_order = 2;
    traits_.nfe = evaluations(2);
  }
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor h = per_sample(step.to - step.from, x);
    const Tensor slope = step.term().drift(x, step.from, denoised);
    Tensor next = x + h * slope;
    std::optional<Tensor> error;
    if (estimates_) error = 0.5 * h * (step.term().drift(next, step.to, step.denoise(next, step.to)) - slope);
    if (step.term().stochastic())
      next = next + per_sample(step.term().noise_std(step.from, step.to), x) * step.noise(x);
    return {next, history, denoised, error};
  }

 private:
  SolverTraits traits_;
  bool estimates_;
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
      .options = "error=none",
      .variants = {"error=heun"},
      .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_euler(SolverOptions& options) {
  const std::string error = options.word("error", "none");
  if (error != "none" && error != "heun")
    throw UsageError(fmt::format("solver 'euler': error must be none or heun, not '{}'", error));
  return std::make_unique<Euler>(error == "heun");
}

}  // namespace stride
