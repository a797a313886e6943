// RES multistep: the exponential Adams–Bashforth method of two denoised images, with the exact weights where
// DPM-Solver++(2M) has a shortcut. Zhang et al. 2023 (arXiv:2308.02157).
#include "solvers/shared/linear_multistep.h"

namespace stride {

SolverEntry solver_res_multistep() {
  return solver_entry(
      {.name = "res_multistep",
       .aliases = {"Res Multistep"},
       .family = "multistep",
       .reference = "Zhang et al. 2023, arXiv:2308.02157 (refined exponential solver), multistep form of order 2: "
                    "x' = e^-h x + h ((phi_1 - phi_2/c2) D_i + phi_2/c2 D_(i-1)) at -h, c2 = -h_(i-1)/h",
       .summary = "exponential Adams-Bashforth in log-SNR, second order",
       .also = {"ComfyUI", "stable-diffusion.cpp", "RES4LYF"}},
      {.order = 2, .start_order = 2, .nfe = evaluations(1)}, {.history = 1}, MultistepOptions::declared(2),
      [](SolverTraits traits, const MultistepOptions& options) {
        return make_linear_multistep(std::move(traits), exponential_rule(true, false, false), options, {2, 2});
      });
}

}  // namespace stride
