// SEEDS-3: Gonzalez et al. 2023 (arXiv:2305.14267), in the form that predicts D, for any η as ComfyUI has it.
#include "solvers/shared/exponential.h"
#include "solvers/shared/sde_stages.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

struct Seeds3Options : SdeOptions {
  double r1 = 1.0 / 3.0;
  double r2 = 2.0 / 3.0;
};

}  // namespace

SolverEntry solver_seeds_3() {
  return solver_entry(
      {.name = "seeds_3",
       .aliases = {"SEEDS-3"},
       .family = "stochastic",
       .reference = "Gonzalez et al. 2023, arXiv:2305.14267, SEEDS-3, data prediction: "
                    "x' = e^-z x - expm1(-z) D + z phi_2(-z) (D_2 - D)/r_2 + noise, z = (1 + eta) h",
       .summary = "three-stage exponential step for the reverse SDE; third order at eta = 0 with r_2 = 2/3",
       .variants = {"eta=0.5,s_noise=1.1", "eta=0", "eta=0,r_1=0.25,r_2=0.5"},
       .also = {"ComfyUI"}},
      {.strong_order = 1.0, .nfe = evaluations(3)}, {.stochastic = true},
      options<Seeds3Options>(SdeOptions::declared(),
                             number("r_1", &Seeds3Options::r1, above(0).below(1),
                                    "where the second evaluation lies in the step, in ln sigma")
                                 .listed_as("1/3"),
                             number("r_2", &Seeds3Options::r2, above(0).below(1),
                                    "where the third evaluation lies in the step, in ln sigma")
                                 .listed_as("2/3"))
          .check([](const Seeds3Options& read) { return read.r1 < read.r2; }, "r_1 must be below r_2"),
      [](const SolverTraits& traits, const Seeds3Options& options) {
        const auto second = [r1 = options.r1, r2 = options.r2](const Times& z) {
          return phi(2, r2 * z) / phi(1, r2 * z) * (r2 / r1);
        };
        const auto last = [r2 = options.r2](const Times& z) { return phi(2, z) / phi(1, z) / r2; };
        // The condition on the nodes is φ₂r₂ = 2φ₃, which r₂ = 2/3 satisfies in the limit of small steps.
        const int order = std::abs(options.r2 - 2.0 / 3.0) < 1e-9 ? 3 : 2;
        return make_sde_stages(claims(traits, options, order, order), options,
                               {{options.r1, {}}, {options.r2, second}, {1.0, last}});
      });
}

}  // namespace stride
