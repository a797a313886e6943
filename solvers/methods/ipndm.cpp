// iPNDM: Adams–Bashforth weights of a fixed step on whatever grid; Zhang & Chen 2023 (arXiv:2204.13902).
#include "solvers/shared/linear_multistep.h"

#include <algorithm>

namespace stride {

SolverEntry solver_ipndm() {
  return solver_entry(
      {.name = "ipndm",
       .aliases = {"iPNDM"},
       .family = "multistep",
       .reference =
           "Zhang & Chen 2023, arXiv:2204.13902, iPNDM: x' = x + h (55 eps_0 - 59 eps_1 + 37 eps_2 - 9 eps_3)/24",
       .summary = "fixed-step Adams-Bashforth weights; second order on a stretched grid, strong at few steps",
       .variants = {"order=2"},
       .also = {"ComfyUI", "diff-sampler", "stable-diffusion.cpp"}},
      {.order = 2, .start_order = 2, .nfe = evaluations(1)}, {.history = 3},
      options<MultistepOptions>(MultistepOptions::declared(4), MultistepOptions::order_option(4)),
      [](SolverTraits traits, const MultistepOptions& options) {
        const int reached = static_cast<int>(std::min<int64_t>(options.order, 2));
        return make_linear_multistep(std::move(traits), fixed_step_rule(), options, {reached, reached});
      });
}

}  // namespace stride
