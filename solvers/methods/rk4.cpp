// The classical Runge–Kutta method (Kutta 1901): Hairer, Nørsett & Wanner, Solving ODEs I, §II.1, table 1.2.
#include "solvers/shared/runge_kutta.h"

namespace stride {

const SolverTraits& traits_rk4() {
  static const SolverTraits traits =
      runge_kutta_traits({.name = "rk4",
                          .aliases = {"RK4", "rk4_4s"},
                          .reference = "Kutta 1901; Hairer, Noersett & Wanner, Solving ODEs I, sec. II.1, table 1.2",
                          .summary = "the classical fourth-order method; no error estimate",
                          .also = {"RES4LYF"}});
  return traits;
}

std::unique_ptr<Solver> make_rk4(SolverOptions& options) { return make_runge_kutta(traits_rk4(), options); }

}  // namespace stride
