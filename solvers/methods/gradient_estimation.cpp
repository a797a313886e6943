// Gradient estimation: the slope, corrected by its last change. Permenter & Yuan 2023 (arXiv:2306.04848):
// ε̄ = γ·ε + (1 − γ)·ε_last, γ = 2.
#include "solvers/shared/linear_multistep.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

struct GradientOptions {
  double gamma = 2.0;
};

}  // namespace

SolverEntry solver_gradient_estimation() {
  return solver_entry(
      {.name = "gradient_estimation",
       .aliases = {"euler_ge", "Gradient Estimation"},
       .family = "multistep",
       .reference =
           "Permenter & Yuan 2023, arXiv:2306.04848, gradient estimation: x' = x + h (gamma eps_i + (1 - gamma) "
           "eps_(i-1))",
       .summary = "Euler with an extrapolated slope; a first-order method that is good at few steps",
       .variants = {"gamma=1.5"},
       .also = {"ComfyUI", "stable-diffusion.cpp"}},
      {.order = 1, .start_order = 1, .nfe = evaluations(1)}, {.history = 1},
      options<GradientOptions>(number("gamma", &GradientOptions::gamma, in_range(1, 5),
                                      "weight of the newest slope; 1 - gamma is the weight of the one before")),
      [](SolverTraits traits, const GradientOptions& options) {
        const auto weights = [gamma = options.gamma](const Times& from, const Times& to,
                                                     const std::vector<Times>& past) {
          if (past.empty()) return std::vector<Times>{to - from};
          return std::vector<Times>{gamma * (to - from), (1.0 - gamma) * (to - from)};
        };
        const int order = options.gamma == 1.5 ? 2 : 1;  // 3/2 and −1/2 are Adams–Bashforth's weights
        return make_linear_multistep(std::move(traits), {.weights = weights}, {.order = 2}, {order, order});
      });
}

}  // namespace stride
