// SEEDS-2: Gonzalez et al. 2023 (arXiv:2305.14267), in the form that predicts D, for any η as ComfyUI has it.
#include "solvers/shared/exponential.h"
#include "solvers/shared/sde_stages.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

struct Seeds2Options : SdeOptions {
  double r = 0.5;
  bool exact = false;
};

}  // namespace

SolverEntry solver_seeds_2() {
  return solver_entry(
      {.name = "seeds_2",
       .aliases = {"SEEDS-2"},
       .family = "stochastic",
       .reference = "Gonzalez et al. 2023, arXiv:2305.14267, SEEDS-2, data prediction: "
                    "x' = e^-z x - expm1(-z) (D + (D_r - D)/(2r)) + noise, z = (1 + eta) h",
       .summary = "two-stage exponential step for the reverse SDE; second order at eta = 0",
       .variants = {"solver_type=phi_2", "eta=0.5,s_noise=1.1,r=0.4", "eta=0", "eta=0,solver_type=phi_2,r=0.7"},
       .also = {"ComfyUI"}},
      {.strong_order = 1.0, .nfe = evaluations(2)}, {.stochastic = true},
      options<Seeds2Options>(SdeOptions::declared(),
                             number("r", &Seeds2Options::r, above(0).below(1),
                                    "where the second evaluation lies in the step, in ln sigma"),
                             choice("solver_type", &Seeds2Options::exact, {{"phi_1", false}, {"phi_2", true}},
                                    "weight of the difference: by phi_1, or by phi_2")),
      [](const SolverTraits& traits, const Seeds2Options& options) {
        const auto share = [r = options.r, exact = options.exact](const Times& z) {
          return exact ? phi(2, z) / phi(1, z) / r : at::full_like(z, 0.5 / r);
        };
        return make_sde_stages(claims(traits, options, 2, 2), options, {{options.r, {}}, {1.0, share}});
      });
}

}  // namespace stride
