// DPM-Solver-12 and 23: an embedded pair of the noise prediction, Lu et al. 2022 (arXiv:2206.00927).
#include "framework/error.h"
#include "solvers/shared/exponential_tableaux.h"

#include <fmt/format.h>

namespace stride {

const SolverTraits& traits_dpm_adaptive() {
  static const SolverTraits traits{
      .name = "dpm_adaptive",
      .aliases = {"DPM adaptive"},
      .family = "one-step",
      .order = 3,
      .start_order = 3,
      .error_order = 3,
      .policy = "pid",
      .reference = "Lu et al. 2022, arXiv:2206.00927, alg. 1 and 2 as the pairs DPM-Solver-12 and 23; k-diffusion",
      .summary = "dpm_singlestep under error control a sample: runs under `policy` pid unless told otherwise",
      .options = "order=3",
      .variants = {"order=2"},
      .also = {"k-diffusion", "ComfyUI", "A1111"},
      .nfe = evaluations(3)};
  return traits;
}

std::unique_ptr<Solver> make_dpm_adaptive(SolverOptions& options) {
  const int64_t order = options.integer("order", 3);
  if (order != 2 && order != 3)
    throw UsageError(fmt::format("solver 'dpm_adaptive': order must be 2 or 3, not {}", order));
  return make_exponential_solver(traits_dpm_adaptive(), Prediction::noise,
                                 order == 2 ? exponential_second(0.5, ExponentialWeighting::dpm_solver)
                                            : exponential_third(ExponentialWeighting::dpm_solver));
}

}  // namespace stride
