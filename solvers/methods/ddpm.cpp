// Ancestral sampling: Ho, Jain & Abbeel 2020 (arXiv:2006.11239) alg. 2; learned variances: Nichol & Dhariwal 2021
// (arXiv:2102.09672) eq. 15.
//
// A step from ᾱ_t = 1/(1 + σ²) to ᾱ_s = 1/(1 + σ_s²) has β = 1 − ᾱ_t/ᾱ_s = (σ² − σ_s²)/(1 + σ²). The posterior's mean
// (eq. 7) is √ᾱ_s β/(1 − ᾱ_t) D + √(1 − β)(1 − ᾱ_s)/(1 − ᾱ_t) x; over √ᾱ_s, in EDM coordinates, it is
// D + (σ_s/σ)²(x − D) whatever the variance. The variances, over ᾱ_s:
//   fixed_small  β̃/ᾱ_s = σ_s²(σ² − σ_s²)/σ²         the posterior's
//   fixed_large  β/ᾱ_s  = (σ² − σ_s²)(1 + σ_s²)/(1 + σ²)
// Both live in σ alone: no timestep axis is needed.
#include "framework/error.h"
#include "solvers/shared/ancestral.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

Times small_variance(const Step& step) {
  return (step.to / step.from).square() * (step.from - step.to) * (step.from + step.to);
}

Times large_variance(const Step& step) {
  return (step.from - step.to) * (step.from + step.to) * (1.0 + step.to.square()) / (1.0 + step.from.square());
}

// The standard deviation that the model predicts, in EDM coordinates. `learned`: it says the logarithm of the
// variance in VP coordinates. `learned_range`: it says v in −1 … 1, from fixed_small to fixed_large in the logarithm.
Tensor learned_spread(const Step& step, const Evaluation& evaluation, bool range) {
  if (!evaluation.log_variance)
    throw UsageError(
        "solver 'ddpm': this model predicts no variance; use variance=fixed_small or variance=fixed_large");
  const Tensor& said = *evaluation.log_variance;
  if (!range) return (0.5 * said).exp() * per_sample((1.0 + step.to.square()).sqrt(), said);
  const Tensor share = 0.5 * (said + 1.0);
  const Tensor low = per_sample(small_variance(step).log(), said);
  const Tensor high = per_sample(large_variance(step).log(), said);
  return (0.5 * (share * high + (1.0 - share) * low)).exp();
}

enum class Variance { fixed_small, fixed_large, learned, learned_range };

struct DdpmOptions {
  Variance variance = Variance::fixed_small;
};

JumpRule rule_for(Variance variance) {
  return [=](const Step& step, const Evaluation& evaluation) -> Jump {
    const Tensor& like = evaluation.denoised;
    const Tensor keep = per_sample((step.to / step.from).square(), like);
    if (variance == Variance::fixed_small) return {keep, per_sample(small_variance(step).sqrt(), like)};
    if (variance == Variance::fixed_large) return {keep, per_sample(large_variance(step).sqrt(), like)};
    return {keep, learned_spread(step, evaluation, variance == Variance::learned_range)};
  };
}

}  // namespace

SolverEntry solver_ddpm() {
  return solver_entry(
      {.name = "ddpm",
       .aliases = {"DDPM", "DDPMScheduler", "DDPMParallelScheduler"},
       .family = "stochastic",
       .reference = "Ho, Jain & Abbeel 2020, arXiv:2006.11239, alg. 2, eq. 6-7; Nichol & Dhariwal 2021, "
                    "arXiv:2102.09672, eq. 15",
       .summary = "ancestral sampling; the variance is the posterior's, the forward step's or the model's own",
       .variants = {"variance=fixed_large"},
       .also = {"diffusers", "ComfyUI", "InvokeAI"}},
      {.strong_order = 1.0, .nfe = evaluations(1)}, {.stochastic = true},
      options<DdpmOptions>(choice("variance", &DdpmOptions::variance,
                                  {{"fixed_small", Variance::fixed_small},
                                   {"fixed_small_log", Variance::fixed_small},
                                   {"fixed_large", Variance::fixed_large},
                                   {"fixed_large_log", Variance::fixed_large},
                                   {"learned", Variance::learned},
                                   {"learned_range", Variance::learned_range}},
                                  "of the noise: the posterior's, the forward step's, or what the model predicts")),
      [](SolverTraits traits, const DdpmOptions& options) {
        return make_jump_solver(std::move(traits), rule_for(options.variance));
      });
}

}  // namespace stride
