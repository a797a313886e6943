// Dormand–Prince 5(4): Dormand & Prince 1980, Journal of Computational and Applied Mathematics 6(1), 19–26, RK5(4)7M.
#include "solvers/shared/runge_kutta.h"

namespace stride {

const SolverTraits& traits_dopri5() {
  static const SolverTraits traits = runge_kutta_traits(
      {.name = "dopri5",
       .aliases = {"Dopri5", "dormand-prince_6s"},
       .reference = "Dormand & Prince 1980, J. Comput. Appl. Math. 6(1) 19-26, RK5(4)7M; Hairer, Noersett & Wanner, "
                    "Solving ODEs I, table 5.2",
       .summary = "fifth order with an embedded fourth-order method; the usual adaptive method for continuous flows",
       .also = {"torchdiffeq", "torchode", "diffrax", "flow_matching", "RES4LYF"}});
  return traits;
}

std::unique_ptr<Solver> make_dopri5(SolverOptions& options) { return make_runge_kutta(traits_dopri5(), options); }

}  // namespace stride
