// DPM-Solver++(2M): Lu et al. 2022 (arXiv:2211.01095) alg. 2, in λ = −ln σ.
#include "solvers/shared/linear_multistep.h"

namespace stride {
namespace {

struct Dpmpp2mOptions : MultistepOptions {
  bool midpoint = true;
};

}  // namespace

SolverEntry solver_dpmpp_2m() {
  return solver_entry(
      {.name = "dpmpp_2m",
       .aliases = {"DPM++ 2M", "dpm++2m"},
       .family = "multistep",
       .reference = "Lu et al. 2022, arXiv:2211.01095, alg. 2",
       .summary = "second order in log-SNR, one evaluation per step",
       .variants = {"lower_order_final=1"},
       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler", "stable-diffusion.cpp"}},
      {.order = 2, .start_order = 2, .nfe = evaluations(1)}, {.history = 1},
      options<Dpmpp2mOptions>(MultistepOptions::declared(2), midpoint_option(&Dpmpp2mOptions::midpoint)),
      [](SolverTraits traits, const Dpmpp2mOptions& options) {
        return make_linear_multistep(std::move(traits), exponential_rule(true, options.midpoint, false), options,
                                     {2, 2});
      });
}

}  // namespace stride
