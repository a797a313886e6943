// DDIM: Song, Meng & Ermon 2021 (arXiv:2010.02502) eq. 12; eta = 0 is Euler on the probability flow.
#include "solvers/shared/ancestral.h"

namespace stride {

SolverEntry solver_ddim() {
  return solver_entry({.name = "ddim",
                       .aliases = {"DDIM", "DDIMScheduler", "DDIMParallelScheduler"},
                       .family = "one-step",
                       .reference = "Song, Meng & Ermon 2021, arXiv:2010.02502, eq. 12 and 16",
                       .summary = "deterministic at eta = 0, ancestral at eta = 1",
                       .variants = {"eta=0.5", "eta=1"},
                       .also = {"diffusers", "ComfyUI", "A1111", "InvokeAI"}},
                      {.order = 1, .start_order = 1, .strong_order = 1.0, .nfe = evaluations(1)}, {},
                      AncestralOptions::declared(0.0), [](SolverTraits traits, const AncestralOptions& options) {
                        return make_ancestral_solver(std::move(traits), options);
                      });
}

}  // namespace stride
