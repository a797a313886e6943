// DPM-Solver++(3M): Lu et al. 2022 (arXiv:2211.01095), k-diffusion's sample_dpmpp_3m_sde at eta = 0. As published it
// gives the second difference half its weight and is of second order; exact=1 is the third-order method.
#include "solvers/shared/linear_multistep.h"

namespace stride {

const SolverTraits& traits_dpmpp_3m() {
  static const SolverTraits traits{
      .name = "dpmpp_3m",
      .aliases = {"DPM++ 3M"},
      .family = "multistep",
      .order = 2,
      .start_order = 2,
      .history = 2,
      .reference =
          "after Lu et al. 2022, arXiv:2211.01095; k-diffusion dpmpp_3m_sde at eta = 0: "
          "x' = e^-h x - expm1(-h) D + phi_2 d1 - phi_3 d2, phi_2 = expm1(-h)/h + 1, phi_3 = phi_2/h - 1/2",
      .summary = "three denoised images in log-SNR; third order with exact=1,start=high",
      .options = "exact=0, solver_type=heun, start=own|high, lower_order_final=0",
      .variants = {"solver_type=midpoint", "lower_order_final=1", "exact=1", "exact=1,start=high"},
      .also = {"k-diffusion", "diffusers", "RES4LYF"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_dpmpp_3m(SolverOptions& options) {
  const bool exact = options.flag("exact", false);
  const bool midpoint = read_midpoint(options, "dpmpp_3m", "heun");
  const MultistepOptions read = MultistepOptions::read(options, "dpmpp_3m", 3, true);
  const bool third = exact && read.start.steps > 0;
  return make_linear_multistep(traits_dpmpp_3m(), exponential_rule(true, midpoint, !exact), read,
                               {exact ? 3 : 2, third ? 3 : 2});
}

}  // namespace stride
