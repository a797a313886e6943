// Dormand–Prince 5(4): Dormand & Prince 1980, Journal of Computational and Applied Mathematics 6(1), 19–26, RK5(4)7M.
#include "solvers/shared/runge_kutta.h"

namespace stride {

SolverEntry solver_dopri5() {
  return runge_kutta_entry(
      {.name = "dopri5",
       .aliases = {"Dopri5", "dormand-prince_6s"},
       .reference = "Dormand & Prince 1980, J. Comput. Appl. Math. 6(1) 19-26, RK5(4)7M; Hairer, Noersett & Wanner, "
                    "Solving ODEs I, table 5.2",
       .summary = "fifth order with an embedded fourth-order method; the usual adaptive method for continuous flows",
       .also = {"torchdiffeq", "torchode", "diffrax", "flow_matching", "RES4LYF"}});
}

}  // namespace stride
