// The trapezoidal rule by fixed-point iteration; one iteration of it is Heun's method.
#include "solvers/shared/theta.h"

namespace stride {

SolverEntry solver_implicit_trapezoid() {
  return theta_entry({.name = "implicit_trapezoid",
                      .aliases = {"trapezoid"},
                      .reference = "Hairer, Noersett & Wanner, Solving ODEs I, sec. II.7: x' = x + h (d(x) + d(x'))/2",
                      .summary = "the mean of the slopes at both ends of the step, found by fixed-point iteration",
                      .also = {"torchdiffeq"}},
                     2, 0.5);
}

}  // namespace stride
