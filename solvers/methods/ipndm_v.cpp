// iPNDM with the weights of the steps as they are: Adams–Bashforth with exact variable steps, whose last jump is
// x ← D. Zhang & Chen 2023 (arXiv:2204.13902) and Hairer, Nørsett & Wanner, Solving ODEs I, §III.5.
#include "solvers/shared/linear_multistep.h"

#include <algorithm>

namespace stride {

const SolverTraits& traits_ipndm_v() {
  static const SolverTraits traits{
      .name = "ipndm_v",
      .aliases = {"iPNDM_v"},
      .family = "multistep",
      .order = 4,
      .start_order = 2,
      .history = 3,
      .reference =
          "Zhang & Chen 2023, arXiv:2204.13902, iPNDM; Hairer, Noersett & Wanner, Solving ODEs I, sec. III.5: x' = x + "
          "the "
          "integral over d sigma of the polynomial through the last slopes",
      .summary = "variable-step Adams-Bashforth in sigma, the last jump to the denoised image",
      .options = "order=4, start=own|high, lower_order_final=0",
      .variants = {"order=2", "order=3", "start=high"},
      .also = {"ComfyUI", "diff-sampler", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_ipndm_v(SolverOptions& options) {
  const auto order = static_cast<int>(read_order(options, "ipndm_v", 4));
  const MultistepOptions read = MultistepOptions::read(options, "ipndm_v", order, true);
  return make_linear_multistep(traits_ipndm_v(), {.weights = adams_weights}, read,
                               {order, read.start.steps > 0 ? order : std::min(order, 2)});
}

}  // namespace stride
