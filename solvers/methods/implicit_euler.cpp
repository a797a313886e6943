// Implicit Euler by fixed-point iteration: the slope of the step's end.
#include "solvers/shared/theta.h"

namespace stride {

SolverEntry solver_implicit_euler() {
  return theta_entry({.name = "implicit_euler",
                      .aliases = {"ImplicitEuler"},
                      .reference = "Hairer, Noersett & Wanner, Solving ODEs I, sec. II.7: x' = x + h d(x')",
                      .summary = "Euler with the slope of the step's end, found by fixed-point iteration",
                      .also = {"diffrax"}},
                     1, 1.0);
}

}  // namespace stride
