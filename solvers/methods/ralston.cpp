// The second-order method of least truncation error bound: Ralston 1962, Mathematics of Computation 16(80), 431–437.
#include "solvers/shared/runge_kutta.h"

namespace stride {

const SolverTraits& traits_ralston() {
  static const SolverTraits traits = runge_kutta_traits(
      {.name = "ralston",
       .aliases = {"Ralston", "ralston_2s"},
       .reference = "Ralston 1962, Math. Comp. 16(80) 431-437: x' = x + h (d(x) + 3 d(x + 2 h d(x)/3))/4",
       .summary = "the second-order method with the smallest error bound; its Euler part gives an error estimate",
       .also = {"diffrax", "RES4LYF"}});
  return traits;
}

std::unique_ptr<Solver> make_ralston(SolverOptions& options) { return make_runge_kutta(traits_ralston(), options); }

}  // namespace stride
