// Adams–Bashforth with exact variable steps: the polynomial through the last slopes, integrated. Hairer, Nørsett &
// Wanner, Solving ODEs I, §III.5; k-diffusion's LMS. Its last jump integrates to 0 as well, as k-diffusion's does.
#include "solvers/shared/linear_multistep.h"

#include <algorithm>

namespace stride {

const SolverTraits& traits_lms() {
  static const SolverTraits traits{
      .name = "lms",
      .aliases = {"LMS", "LMS Discrete", "LMSDiscreteScheduler"},
      .family = "multistep",
      .order = 4,
      .start_order = 2,
      .history = 3,
      .reference =
          "Hairer, Noersett & Wanner, Solving ODEs I, sec. III.5: x' = x + the integral over d sigma of the polynomial "
          "through the last slopes; k-diffusion",
      .summary = "variable-step Adams-Bashforth in sigma",
      .options = "order=4, start=own|high, lower_order_final=0",
      .variants = {"order=1", "order=2", "order=3", "order=3,start=high", "start=high"},
      .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_lms(SolverOptions& options) {
  const auto order = static_cast<int>(read_order(options, "lms", 4));
  const MultistepOptions read = MultistepOptions::read(options, "lms", order, true);
  return make_linear_multistep(traits_lms(), {.weights = adams_weights, .integrates_end = true}, read,
                               {order, read.start.steps > 0 ? order : std::min(order, 2)});
}

}  // namespace stride
