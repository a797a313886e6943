// CFG++ with Euler's step: Chung et al. 2024 (arXiv:2406.08070) alg. 2, x ← D + (σ_to/σ)(x − D_u). The scale of the
// guidance is the paper's λ, small: 0.2 to 1. Under guidance it solves no differential equation: D and D_u differ
// however short the step, so that the result depends on the number of steps. Without guidance it is euler.
#include "solvers/shared/ancestral.h"

namespace stride {

SolverEntry solver_euler_cfg_pp() {
  return solver_entry({.name = "euler_cfg_pp",
                       .aliases = {"Euler CFG++", "DDIM CFG++"},
                       .family = "one-step",
                       .reference = "Chung et al. 2024, arXiv:2406.08070, alg. 2",
                       .summary = "the guided image, renoised along the unconditional slope; `guidance` 0.2 to 1",
                       .also = {"ComfyUI", "A1111", "stable-diffusion.cpp"}},
                      {.order = 1, .start_order = 1, .nfe = evaluations(1)}, {}, [](SolverTraits traits) {
                        return make_ancestral_solver(std::move(traits), {.eta = 0.0}, NoiseOf::unconditional);
                      });
}

}  // namespace stride
