// Gradient estimation: the slope, corrected by its last change. Permenter & Yuan 2023 (arXiv:2306.04848):
// ε̄ = γ·ε + (1 − γ)·ε_last, γ = 2.
#include "framework/error.h"
#include "solvers/shared/linear_multistep.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace stride {

const SolverTraits& traits_gradient_estimation() {
  static const SolverTraits traits{
      .name = "gradient_estimation",
      .aliases = {"euler_ge", "Gradient Estimation"},
      .family = "multistep",
      .order = 1,
      .start_order = 1,
      .history = 1,
      .reference =
          "Permenter & Yuan 2023, arXiv:2306.04848, gradient estimation: x' = x + h (gamma eps_i + (1 - gamma) "
          "eps_(i-1))",
      .summary = "Euler with an extrapolated slope; a first-order method that is good at few steps",
      .options = "gamma=2",
      .variants = {"gamma=1.5"},
      .also = {"ComfyUI", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_gradient_estimation(SolverOptions& options) {
  const double gamma = options.number("gamma", 2.0);
  if (!(gamma >= 1.0 && gamma <= 5.0))
    throw UsageError(fmt::format("solver 'gradient_estimation': gamma must lie in 1 … 5, not {}", gamma));
  const auto weights = [gamma](const Times& from, const Times& to, const std::vector<Times>& past) {
    if (past.empty()) return std::vector<Times>{to - from};
    return std::vector<Times>{gamma * (to - from), (1.0 - gamma) * (to - from)};
  };
  const int order = gamma == 1.5 ? 2 : 1;  // 3/2 and −1/2 are Adams–Bashforth's weights
  return make_linear_multistep(traits_gradient_estimation(), {.weights = weights}, {.order = 2}, {order, order});
}

}  // namespace stride
