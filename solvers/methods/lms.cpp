// Adams–Bashforth with exact variable steps: the polynomial through the last slopes, integrated. Hairer, Nørsett &
// Wanner, Solving ODEs I, §III.5; k-diffusion's LMS. Its last jump integrates to 0 as well, as k-diffusion's does.
#include "solvers/shared/linear_multistep.h"

#include <algorithm>

namespace stride {

SolverEntry solver_lms() {
  return solver_entry({.name = "lms",
                       .aliases = {"LMS", "LMS Discrete", "LMSDiscreteScheduler"},
                       .family = "multistep",
                       .reference = "Hairer, Noersett & Wanner, Solving ODEs I, sec. III.5: x' = x + the integral over "
                                    "d sigma of the polynomial "
                                    "through the last slopes; k-diffusion",
                       .summary = "variable-step Adams-Bashforth in sigma",
                       .variants = {"order=1", "order=2", "order=3", "order=3,start=high", "start=high"},
                       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI"}},
                      {.order = 4, .start_order = 2, .nfe = evaluations(1)}, {.history = 3},
                      options<MultistepOptions>(MultistepOptions::declared(4), MultistepOptions::order_option(4),
                                                start_option(&MultistepOptions::high_start)),
                      [](SolverTraits traits, const MultistepOptions& options) {
                        const auto order = static_cast<int>(options.order);
                        return make_linear_multistep(std::move(traits),
                                                     {.weights = adams_weights, .integrates_end = true}, options,
                                                     {order, options.high_start ? order : std::min(order, 2)});
                      });
}

}  // namespace stride
