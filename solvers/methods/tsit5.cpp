// Tsitouras 5(4): Tsitouras 2011, Computers & Mathematics with Applications 62(2), 770–775.
#include "solvers/shared/runge_kutta.h"

namespace stride {

SolverEntry solver_tsit5() {
  return runge_kutta_entry(
      {.name = "tsit5",
       .aliases = {"Tsit5", "tsi_7s"},
       .reference =
           "Tsitouras 2011, Comput. Math. Appl. 62(2) 770-775; coefficients in solvers/shared/butcher_tableaux.cpp",
       .summary = "fifth order with an embedded fourth-order method; smaller error than dopri5 at the same cost",
       .also = {"OrdinaryDiffEq.jl", "torchode", "diffrax", "RES4LYF"}});
}

}  // namespace stride
