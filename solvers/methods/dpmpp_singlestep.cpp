// Single-step DPM-Solver++, 2S and 3S, in the data prediction: Lu et al. 2022 (arXiv:2211.01095).
#include "solvers/shared/exponential_tableaux.h"

namespace stride {

SolverEntry solver_dpmpp_singlestep() {
  return solver_entry(
      {.name = "dpmpp_singlestep",
       .aliases = {"DPMSolverSinglestepScheduler", "DPM++ 2S", "dpmpp_2s"},
       .family = "one-step",
       .reference = "Lu et al. 2022, arXiv:2211.01095, alg. 1; order 3 after arXiv:2206.00927, alg. 2",
       .summary = "exponential Runge-Kutta on the data prediction: order evaluations per step, embedded error estimate",
       .variants = {"order=1", "order=3", "order=3,solver_type=midpoint", "order=3,solver_type=heun",
                    "solver_type=heun"},
       .also = {"diffusers", "InvokeAI", "diff-sampler", "RES4LYF"}},
      {.order = 2, .start_order = 2, .error_order = 2, .nfe = evaluations(2)}, {}, SinglestepOptions::declared(2),
      [](SolverTraits traits, const SinglestepOptions& options) {
        return make_exponential_solver(std::move(traits), Prediction::data, options.tableau());
      });
}

}  // namespace stride
