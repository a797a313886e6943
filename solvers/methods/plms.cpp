// PLMS: PNDM without its Runge–Kutta steps. The first step is Heun's, the next ones have as many values as there are;
// Liu et al. 2022 (arXiv:2202.09778) eq. 12 with the start of latent-diffusion's PLMSSampler.
#include "solvers/shared/linear_multistep.h"

namespace stride {

const SolverTraits& traits_plms() {
  static const SolverTraits traits{
      .name = "plms",
      .aliases = {"PLMS"},
      .family = "multistep",
      .order = 2,
      .start_order = 2,
      .history = 3,
      .reference = "Liu et al. 2022, arXiv:2202.09778, eq. 12; diffusers PNDMScheduler with skip_prk_steps",
      .summary = "Heun for one step, then fixed-step Adams-Bashforth weights",
      .options = "",
      .also = {"diffusers", "A1111", "InvokeAI"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_plms(SolverOptions& /*options*/) {
  MultistepRule rule = fixed_step_rule();
  rule.integrates_end = true;
  return make_linear_multistep(traits_plms(), rule, {.order = 4, .start = {&start_tableau(2), 1}}, {2, 2});
}

}  // namespace stride
