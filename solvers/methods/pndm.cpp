// PNDM: three pseudo Runge–Kutta steps, then pseudo linear multistep ones. Liu et al. 2022 (arXiv:2202.09778) alg. 2
// and eq. 9, 12 and 13: the transfer φ is exact for a constant noise, which in EDM coordinates is x + (σ' − σ)·slope,
// so that the pseudo methods are the classical ones in σ.
#include "solvers/shared/linear_multistep.h"

namespace stride {

SolverEntry solver_pndm() {
  return solver_entry(
      {.name = "pndm",
       .aliases = {"PNDM", "PNDMScheduler", "F-PNDM"},
       .family = "multistep",
       .reference = "Liu et al. 2022, arXiv:2202.09778, alg. 2, eq. 9, 12 and 13",
       .summary = "Runge-Kutta for three steps, then fixed-step Adams-Bashforth weights",
       .also = {"diffusers", "InvokeAI"}},
      {.order = 2, .start_order = 2, .nfe = evaluations(1)}, {.history = 3}, [](SolverTraits traits) {
        MultistepRule rule = fixed_step_rule();
        rule.integrates_end = true;
        return make_linear_multistep(std::move(traits), rule, {.order = 4, .start = {&start_tableau(4), 3}}, {2, 2});
      });
}

}  // namespace stride
