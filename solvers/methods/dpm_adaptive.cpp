// DPM-Solver-12 and 23: an embedded pair of the noise prediction, Lu et al. 2022 (arXiv:2206.00927).
#include "solvers/shared/exponential_tableaux.h"

namespace stride {
namespace {

struct AdaptiveOptions {
  int64_t order = 3;
};

}  // namespace

SolverEntry solver_dpm_adaptive() {
  return solver_entry(
      {.name = "dpm_adaptive",
       .aliases = {"DPM adaptive"},
       .family = "one-step",
       .reference = "Lu et al. 2022, arXiv:2206.00927, alg. 1 and 2 as the pairs DPM-Solver-12 and 23; k-diffusion",
       .summary = "dpm_singlestep under error control per sample: runs under `policy` pid unless told otherwise",
       .variants = {"order=2"},
       .also = {"k-diffusion", "ComfyUI", "A1111"}},
      {.order = 3, .start_order = 3, .error_order = 3, .nfe = evaluations(3)}, {.policy = "pid"},
      options<AdaptiveOptions>(
          integer("order", &AdaptiveOptions::order, in_range(2, 3), "of the better method of the pair")),
      [](SolverTraits traits, const AdaptiveOptions& options) {
        return make_exponential_solver(std::move(traits), Prediction::noise,
                                       options.order == 2 ? exponential_second(0.5, ExponentialWeighting::dpm_solver)
                                                          : exponential_third(ExponentialWeighting::dpm_solver));
      });
}

}  // namespace stride
