// Euler's method on the term: Karras et al. 2022 (arXiv:2206.00364) alg. 2 without its correction, alg. 1 without
// churn. Under a ReverseSde it is Euler–Maruyama, of strong order 1 as the noise is additive. error=heun asks the
// denoiser once more, at the predicted point (without the noise), and gives Heun − Euler as the error estimate.
#include "solvers/methods/euler.h"

#include "solvers/shared/churn.h"
#include "solvers/shared/tangent.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

struct EulerOptions : Churn {
  bool estimates = false;
};

class Euler final : public Method {
 public:
  Euler(const SolverTraits& traits, const Churn& churn, bool estimates)
      : Method(churn.claims(traits)), churn_(churn), estimates_(estimates) {
    if (!estimates) return;
    traits_.error_order = 2;
    traits_.nfe = evaluations(2);
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const auto [start, from] = churn_.raise(step, x);
    return euler_step(step, step.term(), start, from, history, estimates_);
  }

  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    return churn_.finish(step, x, history);
  }

 private:
  Churn churn_;
  bool estimates_;
};

}  // namespace

StepResult euler_step(Step& step, const Term& term, const Tensor& x, const Times& from, const BatchState& history,
                      bool estimates) {
  const Tensor denoised = step.denoise(x, from);
  Tensor next = shrunk(x, denoised, term.keep(from, step.to));
  std::optional<Tensor> error;
  if (estimates) {
    // The change of the slope is that of D; the tangent's own would be lost in rounding, and is 0 on the flow.
    const Tensor half = per_sample(0.5 * (step.to - from), x);
    error = half * term.drift(denoised, step.to, step.denoise(next, step.to));
    if (term.stochastic())
      error = *error + half * (term.drift(next, step.to, denoised) - term.drift(x, from, denoised));
  }
  if (term.stochastic()) next = next + per_sample(term.noise_std(from, step.to), x) * step.noise(x);
  return {next, history, denoised, error};
}

SolverEntry solver_euler() {
  return solver_entry(
      {.name = "euler",
       .aliases = {"Euler", "EulerDiscreteScheduler"},
       .family = "one-step",
       .reference = "Karras et al. 2022, arXiv:2206.00364, alg. 2 without lines 9-11",
       .summary = "one evaluation, one tangent; with s_churn, noise before each step",
       .variants = {"error=heun", "s_churn=6,s_tmin=0.1,s_tmax=10,s_noise=1.007"},
       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler", "stable-diffusion.cpp"}},
      {.order = 1, .start_order = 1, .strong_order = 1.0, .nfe = evaluations(1)}, {.integrates_sde = true},
      options<EulerOptions>(choice("error", &EulerOptions::estimates, {{"none", false}, {"heun", true}},
                                   "the error estimate: none, or by one more evaluation"),
                            Churn::declared())
          .check([](const EulerOptions& read) { return !read.estimates || !read.active(); },
                 "under s_churn a step has no error estimate; leave error or s_churn out"),
      [](SolverTraits traits, const EulerOptions& options) {
        return std::make_unique<Euler>(std::move(traits), options, options.estimates);
      });
}

}  // namespace stride
