// Single-step DPM-Solver-1, 2 and 3, in the noise prediction: Lu et al. 2022 (arXiv:2206.00927).
#include "solvers/shared/exponential_tableaux.h"

namespace stride {

const SolverTraits& traits_dpm_singlestep() {
  static const SolverTraits traits{
      .name = "dpm_singlestep",
      .aliases = {"DPM-Solver", "dpmsolver_singlestep"},
      .family = "one-step",
      .order = 3,
      .start_order = 3,
      .error_order = 3,
      .reference = "Lu et al. 2022, arXiv:2206.00927, eq. 3.7 and alg. 1-2",
      .summary = "exponential Runge-Kutta on the noise prediction: order evaluations a step, embedded error estimate",
      .options = "order=3,solver_type=dpm_solver|midpoint|heun",
      .variants = {"order=1", "order=2", "order=2,solver_type=heun", "solver_type=midpoint", "solver_type=heun"},
      .also = {"k-diffusion", "diffusers", "diff-sampler", "RES4LYF"},
      .nfe = evaluations(3)};
  return traits;
}

std::unique_ptr<Solver> make_dpm_singlestep(SolverOptions& options) {
  return make_exponential_solver(traits_dpm_singlestep(), Prediction::noise,
                                 singlestep_tableau(options, "dpm_singlestep", 3));
}

}  // namespace stride
