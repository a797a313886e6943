// SRA1: Rößler 2010 (SIAM J. Numer. Anal. 48), strong order 1.5 for additive noise; deterministic order 2.
#include "solvers/shared/stochastic_rk.h"

namespace stride {

SolverEntry solver_sra1() {
  return solver_entry(
      {.name = "sra1",
       .aliases = {"SRA1"},
       .family = "stochastic",
       .reference = "Roessler 2010, SIAM J. Numer. Anal. 48(3), SRA1; coefficients in solvers/shared/stochastic_rk.cpp",
       .summary = "strong order 1.5 on the reverse SDE, in the clock sigma^2",
       .variants = {"eta=0.5,s_noise=1.1", "eta=0"},
       .also = {"StochasticDiffEq.jl", "diffrax", "torchsde"}},
      {.strong_order = 1.5, .nfe = evaluations(2)}, {.stochastic = true}, SdeOptions::declared(),
      [](const SolverTraits& traits, const SdeOptions& options) {
        return make_stochastic_rk(claims(traits, options, 2, 2), options, sra1_tableau());
      });
}

}  // namespace stride
