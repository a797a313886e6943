// DPM-Solver++(2M): Lu et al. 2022 (arXiv:2211.01095) alg. 2, in λ = −ln σ.
#include "solvers/shared/linear_multistep.h"

namespace stride {

const SolverTraits& traits_dpmpp_2m() {
  static const SolverTraits traits{
      .name = "dpmpp_2m",
      .aliases = {"DPM++ 2M", "dpm++2m", "DPMSolverMultistepScheduler"},
      .family = "multistep",
      .order = 2,
      .start_order = 2,
      .history = 1,
      .reference = "Lu et al. 2022, arXiv:2211.01095, alg. 2",
      .summary = "second order in log-SNR, one evaluation a step",
      .options = "solver_type=midpoint, lower_order_final=0",
      .variants = {"lower_order_final=1"},
      .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_dpmpp_2m(SolverOptions& options) {
  const bool midpoint = read_midpoint(options, "dpmpp_2m", "midpoint");
  return make_linear_multistep(traits_dpmpp_2m(), exponential_rule(true, midpoint, false),
                               MultistepOptions::read(options, "dpmpp_2m", 2), {2, 2});
}

}  // namespace stride
