// Euler's method on the term: Karras et al. 2022 (arXiv:2206.00364) alg. 2 without its correction, alg. 1 without
// churn. Under a ReverseSde it is Euler–Maruyama, of strong order 1 as the noise is additive.
#include "solvers/euler.h"

#include "solvers/churn.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class Euler final : public Solver {
 public:
  explicit Euler(const Churn& churn) : traits_(churn.claims(traits_euler())), churn_(churn) {}
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const auto [start, from] = churn_.raise(step, x);
    return euler_step(step, step.term(), start, from, history);
  }

  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    return churn_.finish(step, x, history);
  }

 private:
  SolverTraits traits_;
  Churn churn_;
};

}  // namespace

StepResult euler_step(Step& step, const Term& term, const Tensor& x, const Times& from, const BatchState& history) {
  const Tensor denoised = step.denoise(x, from);
  Tensor next = x + per_sample(step.to - from, x) * term.drift(x, from, denoised);
  if (term.stochastic()) next = next + per_sample(term.noise_std(from, step.to), x) * step.noise(x);
  return {next, history, denoised, {}};
}

const SolverTraits& traits_euler() {
  static const SolverTraits traits{
      .name = "euler",
      .aliases = {"Euler", "EulerDiscreteScheduler"},
      .family = "one-step",
      .order = 1,
      .start_order = 1,
      .strong_order = 1.0,
      .integrates_sde = true,
      .reference = "Karras et al. 2022, arXiv:2206.00364, alg. 2 without lines 9-11",
      .summary = "one evaluation, one tangent; with s_churn, noise before each step",
      .options = "s_churn=0,s_tmin=0,s_tmax=inf,s_noise=1",
      .variants = {"s_churn=6,s_tmin=0.1,s_tmax=10,s_noise=1.007"},
      .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_euler(SolverOptions& options) {
  return std::make_unique<Euler>(Churn::read(options, "euler"));
}

}  // namespace stride
