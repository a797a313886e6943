// RES multistep: the exponential Adams–Bashforth method of two denoised images, with the exact weights where
// DPM-Solver++(2M) has a shortcut. Zhang et al. 2023 (arXiv:2308.02157).
#include "solvers/shared/linear_multistep.h"

namespace stride {

const SolverTraits& traits_res_multistep() {
  static const SolverTraits traits{
      .name = "res_multistep",
      .aliases = {"Res Multistep"},
      .family = "multistep",
      .order = 2,
      .start_order = 2,
      .history = 1,
      .reference =
          "Zhang et al. 2023, arXiv:2308.02157 (refined exponential solver), multistep form of order 2: "
          "x' = e^-h x + h ((phi_1 - phi_2/c2) D_i + phi_2/c2 D_(i-1)) at -h, c2 = -h_(i-1)/h",
      .summary = "exponential Adams-Bashforth in log-SNR, second order",
      .options = "lower_order_final=0",
      .also = {"ComfyUI", "stable-diffusion.cpp", "RES4LYF"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_res_multistep(SolverOptions& options) {
  return make_linear_multistep(traits_res_multistep(), exponential_rule(true, false, false),
                               MultistepOptions::read(options, "res_multistep", 2), {2, 2});
}

}  // namespace stride
