// CFG++ with an ancestral step: Chung et al. 2024 (arXiv:2406.08070) alg. 2 with the noise of Euler a, as ComfyUI has
// it. Without guidance it is euler_ancestral; what euler_cfg_pp.cpp says of guidance holds here too.
#include "solvers/shared/ancestral.h"

namespace stride {

const SolverTraits& traits_euler_ancestral_cfg_pp() {
  static const SolverTraits traits{.name = "euler_ancestral_cfg_pp",
                                   .aliases = {"Euler a CFG++", "euler_a_cfg_pp"},
                                   .family = "stochastic",
                                   .strong_order = 1.0,
                                   .stochastic = true,
                                   .reference = "ComfyUI; Chung et al. 2024, arXiv:2406.08070, alg. 2",
                                   .summary = "Euler a, renoised along the unconditional slope; `guidance` 0.2 to 1",
                                   .options = "eta=1",
                                   .also = {"ComfyUI", "stable-diffusion.cpp"},
                                   .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_euler_ancestral_cfg_pp(SolverOptions& options) {
  return make_ancestral_solver(traits_euler_ancestral_cfg_pp(), options.number("eta", 1.0), NoiseOf::unconditional);
}

}  // namespace stride
