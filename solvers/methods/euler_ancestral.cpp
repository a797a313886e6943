// Euler a: k-diffusion's sample_euler_ancestral, eta scaling its σ_up and s_noise the noise.
#include "solvers/shared/ancestral.h"

namespace stride {

SolverEntry solver_euler_ancestral() {
  return solver_entry({.name = "euler_ancestral",
                       .aliases = {"Euler a", "euler_a", "EulerAncestralDiscreteScheduler"},
                       .family = "stochastic",
                       .reference = "k-diffusion; in EDM coordinates Song et al. 2021, arXiv:2010.02502, eq. 16",
                       .summary = "Euler down to σ_down, then noise up to the next level",
                       .variants = {"eta=0.5,s_noise=1.1", "eta=1.5", "eta=0"},
                       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "stable-diffusion.cpp"}},
                      {.order = 1, .start_order = 1, .strong_order = 1.0, .nfe = evaluations(1)}, {.stochastic = true},
                      AncestralOptions::of_any_size(), [](SolverTraits traits, const AncestralOptions& options) {
                        return make_ancestral_solver(std::move(traits), options);
                      });
}

}  // namespace stride
