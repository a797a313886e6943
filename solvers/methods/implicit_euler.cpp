// Implicit Euler by fixed-point iteration: the slope of the step's end.
#include "solvers/shared/theta.h"

namespace stride {

const SolverTraits& traits_implicit_euler() {
  static const SolverTraits traits =
      theta_traits({.name = "implicit_euler",
                    .aliases = {"ImplicitEuler"},
                    .order = 1,
                    .reference = "Hairer, Noersett & Wanner, Solving ODEs I, sec. II.7: x' = x + h d(x')",
                    .summary = "Euler with the slope of the step's end, found by fixed-point iteration",
                    .also = {"diffrax"}});
  return traits;
}

std::unique_ptr<Solver> make_implicit_euler(SolverOptions& options) {
  return make_theta(traits_implicit_euler(), 1.0, options);
}

}  // namespace stride
