// iPNDM with the weights of the steps as they are: Adams–Bashforth with exact variable steps, whose last jump is
// x ← D. Zhang & Chen 2023 (arXiv:2204.13902) and Hairer, Nørsett & Wanner, Solving ODEs I, §III.5.
#include "solvers/shared/linear_multistep.h"

#include <algorithm>

namespace stride {

SolverEntry solver_ipndm_v() {
  return solver_entry({.name = "ipndm_v",
                       .aliases = {"iPNDM_v"},
                       .family = "multistep",
                       .reference = "Zhang & Chen 2023, arXiv:2204.13902, iPNDM; Hairer, Noersett & Wanner, Solving "
                                    "ODEs I, sec. III.5: x' = x + "
                                    "the "
                                    "integral over d sigma of the polynomial through the last slopes",
                       .summary = "variable-step Adams-Bashforth in sigma, the last jump to the denoised image",
                       .variants = {"order=2", "order=3", "start=high"},
                       .also = {"ComfyUI", "diff-sampler", "stable-diffusion.cpp"}},
                      {.order = 4, .start_order = 2, .nfe = evaluations(1)}, {.history = 3},
                      options<MultistepOptions>(MultistepOptions::declared(4), MultistepOptions::order_option(4),
                                                start_option(&MultistepOptions::high_start)),
                      [](SolverTraits traits, const MultistepOptions& options) {
                        const auto order = static_cast<int>(options.order);
                        return make_linear_multistep(std::move(traits), {.weights = adams_weights}, options,
                                                     {order, options.high_start ? order : std::min(order, 2)});
                      });
}

}  // namespace stride
