// DDIM: Song, Meng & Ermon 2021 (arXiv:2010.02502) eq. 12; eta = 0 is Euler on the probability flow.
#include "solvers/shared/ancestral.h"

namespace stride {

const SolverTraits& traits_ddim() {
  static const SolverTraits traits{.name = "ddim",
                                   .aliases = {"DDIM", "DDIMScheduler", "DDIMParallelScheduler"},
                                   .family = "one-step",
                                   .order = 1,
                                   .start_order = 1,
                                   .strong_order = 1.0,
                                   .reference = "Song, Meng & Ermon 2021, arXiv:2010.02502, eq. 12 and 16",
                                   .summary = "deterministic at eta = 0, ancestral at eta = 1",
                                   .options = "eta=0",
                                   .variants = {"eta=0.5", "eta=1"},
                                   .also = {"diffusers", "ComfyUI", "A1111", "InvokeAI"},
                                   .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_ddim(SolverOptions& options) {
  return make_ancestral_solver(traits_ddim(), options.number("eta", 0.0));
}

}  // namespace stride
