// Euler a: k-diffusion's sample_euler_ancestral, eta scaling its σ_up.
#include "solvers/shared/ancestral.h"

namespace stride {

const SolverTraits& traits_euler_ancestral() {
  static const SolverTraits traits{
      .name = "euler_ancestral",
      .aliases = {"Euler a", "euler_a", "EulerAncestralDiscreteScheduler"},
      .family = "stochastic",
      .strong_order = 1.0,
      .stochastic = true,
      .reference = "k-diffusion; in EDM coordinates Song et al. 2021, arXiv:2010.02502, eq. 16",
      .summary = "Euler down to σ_down, then noise up to the next level",
      .options = "eta=1",
      .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_euler_ancestral(SolverOptions& options) {
  return make_ancestral_solver(traits_euler_ancestral(), options.number("eta", 1.0));
}

}  // namespace stride
