// DPM-Solver++(3M): Lu et al. 2022 (arXiv:2211.01095), k-diffusion's sample_dpmpp_3m_sde at eta = 0. As published it
// gives the second difference half its weight and is of second order; exact=1 is the third-order method.
#include "solvers/shared/linear_multistep.h"

namespace stride {
namespace {

struct Dpmpp3mOptions : MultistepOptions {
  bool exact = false;
  bool midpoint = false;
};

}  // namespace

SolverEntry solver_dpmpp_3m() {
  return solver_entry(
      {.name = "dpmpp_3m",
       .aliases = {"DPM++ 3M"},
       .family = "multistep",
       .reference = "after Lu et al. 2022, arXiv:2211.01095; k-diffusion dpmpp_3m_sde at eta = 0: "
                    "x' = e^-h x - expm1(-h) D + phi_2 d1 - phi_3 d2, phi_2 = expm1(-h)/h + 1, phi_3 = phi_2/h - 1/2",
       .summary = "three denoised images in log-SNR; third order with exact=1,start=high",
       .variants = {"solver_type=midpoint", "lower_order_final=1", "exact=1", "exact=1,start=high"},
       .also = {"k-diffusion", "diffusers", "RES4LYF"}},
      {.order = 2, .start_order = 2, .nfe = evaluations(1)}, {.history = 2},
      options<Dpmpp3mOptions>(MultistepOptions::declared(3), exact_option(&Dpmpp3mOptions::exact),
                              midpoint_option(&Dpmpp3mOptions::midpoint), start_option(&Dpmpp3mOptions::high_start)),
      [](SolverTraits traits, const Dpmpp3mOptions& options) {
        return make_linear_multistep(std::move(traits), exponential_rule(true, options.midpoint, !options.exact),
                                     options, {options.exact ? 3 : 2, options.exact && options.high_start ? 3 : 2});
      });
}

}  // namespace stride
