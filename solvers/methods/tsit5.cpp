// Tsitouras 5(4): Tsitouras 2011, Computers & Mathematics with Applications 62(2), 770–775.
#include "solvers/shared/runge_kutta.h"

namespace stride {

const SolverTraits& traits_tsit5() {
  static const SolverTraits traits = runge_kutta_traits(
      {.name = "tsit5",
       .aliases = {"Tsit5", "tsi_7s"},
       .reference =
           "Tsitouras 2011, Comput. Math. Appl. 62(2) 770-775; coefficients in solvers/shared/butcher_tableaux.cpp",
       .summary = "fifth order with an embedded fourth-order method; smaller error than dopri5 at the same cost",
       .also = {"OrdinaryDiffEq.jl", "torchode", "diffrax", "RES4LYF"}});
  return traits;
}

std::unique_ptr<Solver> make_tsit5(SolverOptions& options) { return make_runge_kutta(traits_tsit5(), options); }

}  // namespace stride
