// Single-step DPM-Solver-1, 2 and 3, in the noise prediction: Lu et al. 2022 (arXiv:2206.00927).
#include "solvers/shared/exponential_tableaux.h"

namespace stride {

SolverEntry solver_dpm_singlestep() {
  return solver_entry(
      {.name = "dpm_singlestep",
       .aliases = {"DPM-Solver", "dpmsolver_singlestep"},
       .family = "one-step",
       .reference = "Lu et al. 2022, arXiv:2206.00927, eq. 3.7 and alg. 1-2",
       .summary =
           "exponential Runge-Kutta on the noise prediction: order evaluations per step, embedded error estimate",
       .variants = {"order=1", "order=2", "order=2,solver_type=heun", "solver_type=midpoint", "solver_type=heun"},
       .also = {"k-diffusion", "diffusers", "diff-sampler", "RES4LYF"}},
      {.order = 3, .start_order = 3, .error_order = 3, .nfe = evaluations(3)}, {}, SinglestepOptions::declared(3),
      [](SolverTraits traits, const SinglestepOptions& options) {
        return make_exponential_solver(std::move(traits), Prediction::noise, options.tableau());
      });
}

}  // namespace stride
