// RES(2S), the second-order exponential method that fulfils its stiff order conditions exactly, at c2 = 1/2.
#include "solvers/shared/exponential_tableaux.h"

namespace stride {

const SolverTraits& traits_res_2s() {
  static const SolverTraits traits{
      .name = "res_2s",
      .aliases = {"RES 2S", "RES singlestep"},
      .family = "one-step",
      .order = 2,
      .start_order = 2,
      .error_order = 2,
      .reference = "Zhang et al. 2023, arXiv:2308.02157, alg. 1 with c2 = 1/2",
      .summary = "dpmpp_singlestep:order=2,solver_type=heun under its own name; c2 anywhere in (0, 1]",
      .options = "c2=0.5",
      .variants = {"c2=0.7"},
      .also = {"RES4LYF", "stable-diffusion.cpp"},
      .nfe = evaluations(2)};
  return traits;
}

std::unique_ptr<Solver> make_res_2s(SolverOptions& options) {
  return make_exponential_solver(traits_res_2s(), Prediction::data,
                                 exponential_second(stage_node(options, "res_2s", 0.5), ExponentialWeighting::heun));
}

}  // namespace stride
