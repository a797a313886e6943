// iPNDM: Adams–Bashforth weights of a fixed step on whatever grid; Zhang & Chen 2023 (arXiv:2204.13902).
#include "solvers/shared/linear_multistep.h"

#include <algorithm>

namespace stride {

const SolverTraits& traits_ipndm() {
  static const SolverTraits traits{
      .name = "ipndm",
      .aliases = {"iPNDM"},
      .family = "multistep",
      .order = 2,
      .start_order = 2,
      .history = 3,
      .reference =
          "Zhang & Chen 2023, arXiv:2204.13902, iPNDM: x' = x + h (55 eps_0 - 59 eps_1 + 37 eps_2 - 9 eps_3)/24",
      .summary = "fixed-step Adams-Bashforth weights; second order on a stretched grid, strong at few steps",
      .options = "order=4, lower_order_final=0",
      .variants = {"order=2"},
      .also = {"ComfyUI", "diff-sampler", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_ipndm(SolverOptions& options) {
  const auto order = static_cast<int>(read_order(options, "ipndm", 4));
  const int reached = std::min(order, 2);
  return make_linear_multistep(traits_ipndm(), fixed_step_rule(), MultistepOptions::read(options, "ipndm", order),
                               {reached, reached});
}

}  // namespace stride
