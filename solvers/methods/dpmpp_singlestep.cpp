// Single-step DPM-Solver++, 2S and 3S, in the data prediction: Lu et al. 2022 (arXiv:2211.01095).
#include "solvers/shared/exponential_tableaux.h"

namespace stride {

const SolverTraits& traits_dpmpp_singlestep() {
  static const SolverTraits traits{
      .name = "dpmpp_singlestep",
      .aliases = {"DPMSolverSinglestepScheduler", "DPM++ 2S", "dpmpp_2s"},
      .family = "one-step",
      .order = 2,
      .start_order = 2,
      .error_order = 2,
      .reference = "Lu et al. 2022, arXiv:2211.01095, alg. 1; order 3 after arXiv:2206.00927, alg. 2",
      .summary = "exponential Runge-Kutta on the data prediction: order evaluations a step, embedded error estimate",
      .options = "order=2,solver_type=dpm_solver|midpoint|heun",
      .variants = {"order=1", "order=3", "order=3,solver_type=midpoint", "order=3,solver_type=heun",
                   "solver_type=heun"},
      .also = {"diffusers", "InvokeAI", "diff-sampler", "RES4LYF"},
      .nfe = evaluations(2)};
  return traits;
}

std::unique_ptr<Solver> make_dpmpp_singlestep(SolverOptions& options) {
  return make_exponential_solver(traits_dpmpp_singlestep(), Prediction::data,
                                 singlestep_tableau(options, "dpmpp_singlestep", 2));
}

}  // namespace stride
