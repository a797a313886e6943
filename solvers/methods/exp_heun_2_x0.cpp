// The exponential Heun method on the data prediction: RES(2S) with its second evaluation at the end of the step.
#include "solvers/shared/exponential_tableaux.h"

namespace stride {

SolverEntry solver_exp_heun_2_x0() {
  return solver_entry({.name = "exp_heun_2_x0",
                       .aliases = {"Exp Heun 2 x0"},
                       .family = "one-step",
                       .reference = "Hochbruck & Ostermann 2005, SIAM J. Numer. Anal. 43, sec. 5.1 with c2 = 1: "
                                    "x' = e^-h x + h ((phi_1 - phi_2) D_1 + phi_2 D_2) at -h; ComfyUI",
                       .summary = "two evaluations per step, at its two ends, joined by phi_2",
                       .also = {"ComfyUI"}},
                      {.order = 2, .start_order = 2, .error_order = 2, .nfe = evaluations(2)}, {},
                      [](SolverTraits traits) {
                        return make_exponential_solver(std::move(traits), Prediction::data,
                                                       exponential_second(1.0, ExponentialWeighting::heun));
                      });
}

}  // namespace stride
