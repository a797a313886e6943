// The trapezoidal rule by fixed-point iteration; one iteration of it is Heun's method.
#include "solvers/shared/theta.h"

namespace stride {

const SolverTraits& traits_implicit_trapezoid() {
  static const SolverTraits traits =
      theta_traits({.name = "implicit_trapezoid",
                    .aliases = {"trapezoid"},
                    .order = 2,
                    .reference = "Hairer, Noersett & Wanner, Solving ODEs I, sec. II.7: x' = x + h (d(x) + d(x'))/2",
                    .summary = "the mean of the slopes at both ends of the step, found by fixed-point iteration",
                    .also = {"torchdiffeq"}});
  return traits;
}

std::unique_ptr<Solver> make_implicit_trapezoid(SolverOptions& options) {
  return make_theta(traits_implicit_trapezoid(), 0.5, options);
}

}  // namespace stride
