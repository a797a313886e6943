// CFG++ with an ancestral step: Chung et al. 2024 (arXiv:2406.08070) alg. 2 with the noise of Euler a, as ComfyUI has
// it. Without guidance it is euler_ancestral; what euler_cfg_pp.cpp says of guidance holds here too.
#include "solvers/shared/ancestral.h"

namespace stride {

SolverEntry solver_euler_ancestral_cfg_pp() {
  return solver_entry({.name = "euler_ancestral_cfg_pp",
                       .aliases = {"Euler a CFG++", "euler_a_cfg_pp"},
                       .family = "stochastic",
                       .reference = "ComfyUI; Chung et al. 2024, arXiv:2406.08070, alg. 2",
                       .summary = "Euler a, renoised along the unconditional slope; `guidance` 0.2 to 1",
                       .variants = {"eta=0.5,s_noise=1.1"},
                       .also = {"ComfyUI", "stable-diffusion.cpp"}},
                      {.strong_order = 1.0, .nfe = evaluations(1)}, {.stochastic = true},
                      AncestralOptions::of_any_size(), [](SolverTraits traits, const AncestralOptions& options) {
                        return make_ancestral_solver(std::move(traits), options, NoiseOf::unconditional);
                      });
}

}  // namespace stride
