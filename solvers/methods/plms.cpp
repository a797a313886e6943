// PLMS: PNDM without its Runge–Kutta steps. The first step is Heun's, the next ones have as many values as there are;
// Liu et al. 2022 (arXiv:2202.09778) eq. 12 with the start of latent-diffusion's PLMSSampler.
#include "solvers/shared/linear_multistep.h"

namespace stride {

SolverEntry solver_plms() {
  return solver_entry(
      {.name = "plms",
       .aliases = {"PLMS"},
       .family = "multistep",
       .reference = "Liu et al. 2022, arXiv:2202.09778, eq. 12; diffusers PNDMScheduler with skip_prk_steps",
       .summary = "Heun for one step, then fixed-step Adams-Bashforth weights",
       .also = {"diffusers", "A1111", "InvokeAI"}},
      {.order = 2, .start_order = 2, .nfe = evaluations(1)}, {.history = 3}, [](SolverTraits traits) {
        MultistepRule rule = fixed_step_rule();
        rule.integrates_end = true;
        return make_linear_multistep(std::move(traits), rule, {.order = 4, .start = {&start_tableau(2), 1}}, {2, 2});
      });
}

}  // namespace stride
