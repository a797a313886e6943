// SRA1: Rößler 2010 (SIAM J. Numer. Anal. 48), strong order 1.5 for additive noise; deterministic order 2.
#include "solvers/shared/stochastic_rk.h"

namespace stride {

const SolverTraits& traits_sra1() {
  static const SolverTraits traits{
      .name = "sra1",
      .aliases = {"SRA1"},
      .family = "stochastic",
      .strong_order = 1.5,
      .stochastic = true,
      .reference = "Roessler 2010, SIAM J. Numer. Anal. 48(3), SRA1; coefficients in solvers/shared/stochastic_rk.cpp",
      .summary = "strong order 1.5 on the reverse SDE, in the clock sigma^2",
      .options = "eta=1,s_noise=1",
      .variants = {"eta=0.5,s_noise=1.1", "eta=0"},
      .also = {"StochasticDiffEq.jl", "diffrax", "torchsde"},
      .nfe = evaluations(2)};
  return traits;
}

std::unique_ptr<Solver> make_sra1(SolverOptions& options) {
  const SdeOptions sde = SdeOptions::read(options, "sra1");
  return make_stochastic_rk(claims(traits_sra1(), sde, 2, 2), sde, sra1_tableau());
}

}  // namespace stride
