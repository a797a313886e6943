// The explicit midpoint rule of Runge (1895): Hairer, Nørsett & Wanner, Solving ODEs I, §II.1.
#include "solvers/shared/runge_kutta.h"

namespace stride {

SolverEntry solver_midpoint() {
  return runge_kutta_entry(
      {.name = "midpoint",
       .aliases = {"Midpoint", "midpoint_2s"},
       .reference = "Hairer, Noersett & Wanner, Solving ODEs I, sec. II.1: x' = x + h d(x + h d(x)/2)",
       .summary = "the slope of the middle of the step in sigma; its Euler part gives an error estimate",
       .also = {"torchdiffeq", "diffrax", "flow_matching", "RES4LYF"}});
}

}  // namespace stride
