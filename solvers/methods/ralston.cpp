// The second-order method of least truncation error bound: Ralston 1962, Mathematics of Computation 16(80), 431–437.
#include "solvers/shared/runge_kutta.h"

namespace stride {

SolverEntry solver_ralston() {
  return runge_kutta_entry(
      {.name = "ralston",
       .aliases = {"Ralston", "ralston_2s"},
       .reference = "Ralston 1962, Math. Comp. 16(80) 431-437: x' = x + h (d(x) + 3 d(x + 2 h d(x)/3))/4",
       .summary = "the second-order method with the smallest error bound; its Euler part gives an error estimate",
       .also = {"diffrax", "RES4LYF"}});
}

}  // namespace stride
