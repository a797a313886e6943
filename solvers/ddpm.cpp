// Ancestral sampling with the posterior variance: Ho, Jain & Abbeel 2020 (arXiv:2006.11239) alg. 2, eq. 6–7.
#include "solvers/ancestral.h"

namespace stride {

const SolverTraits& traits_ddpm() {
  static const SolverTraits traits{.name = "ddpm",
                                   .aliases = {"DDPM", "DDPMScheduler"},
                                   .family = "stochastic",
                                   .strong_order = 1.0,
                                   .stochastic = true,
                                   .reference = "Ho, Jain & Abbeel 2020, arXiv:2006.11239, alg. 2, eq. 6-7",
                                   .summary = "ancestral sampling, posterior variance",
                                   .options = "",
                                   .also = {"diffusers", "ComfyUI", "InvokeAI"},
                                   .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_ddpm(SolverOptions& /*options*/) { return make_ancestral_solver(traits_ddpm(), 1.0); }

}  // namespace stride
