// The classical Runge–Kutta method (Kutta 1901): Hairer, Nørsett & Wanner, Solving ODEs I, §II.1, table 1.2.
#include "solvers/shared/runge_kutta.h"

namespace stride {

SolverEntry solver_rk4() {
  return runge_kutta_entry({.name = "rk4",
                            .aliases = {"RK4", "rk4_4s"},
                            .reference = "Kutta 1901; Hairer, Noersett & Wanner, Solving ODEs I, sec. II.1, table 1.2",
                            .summary = "the classical fourth-order method; no error estimate",
                            .also = {"RES4LYF"}});
}

}  // namespace stride
