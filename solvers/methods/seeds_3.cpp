// SEEDS-3: Gonzalez et al. 2023 (arXiv:2305.14267), in the form that predicts D, for any η as ComfyUI has it.
#include "solvers/shared/exponential.h"
#include "solvers/shared/sde_stages.h"

#include <ATen/ATen.h>

namespace stride {

const SolverTraits& traits_seeds_3() {
  static const SolverTraits traits{
      .name = "seeds_3",
      .aliases = {"SEEDS-3"},
      .family = "stochastic",
      .strong_order = 1.0,
      .stochastic = true,
      .reference =
          "Gonzalez et al. 2023, arXiv:2305.14267, SEEDS-3, data prediction: "
          "x' = e^-z x - expm1(-z) D + z phi_2(-z) (D_2 - D)/r_2 + noise, z = (1 + eta) h",
      .summary = "three-stage exponential step for the reverse SDE; third order at eta = 0 with r_2 = 2/3",
      .options = "eta=1,s_noise=1,r_1=1/3,r_2=2/3",
      .variants = {"eta=0.5,s_noise=1.1", "eta=0", "eta=0,r_1=0.25,r_2=0.5"},
      .also = {"ComfyUI"},
      .nfe = evaluations(3)};
  return traits;
}

std::unique_ptr<Solver> make_seeds_3(SolverOptions& options) {
  const SdeOptions sde = SdeOptions::read(options, "seeds_3");
  const double r2 = read_node(options, "seeds_3", "r_2", 2.0 / 3.0, 0.0, 1.0);
  const double r1 = read_node(options, "seeds_3", "r_1", 1.0 / 3.0, 0.0, r2);
  const auto second = [r1, r2](const Times& z) { return phi(2, r2 * z) / phi(1, r2 * z) * (r2 / r1); };
  const auto last = [r2](const Times& z) { return phi(2, z) / phi(1, z) / r2; };
  // The condition on the nodes is φ₂r₂ = 2φ₃, which r₂ = 2/3 satisfies in the limit of small steps.
  const int order = std::abs(r2 - 2.0 / 3.0) < 1e-9 ? 3 : 2;
  return make_sde_stages(claims(traits_seeds_3(), sde, order, order), sde, {{r1, {}}, {r2, second}, {1.0, last}});
}

}  // namespace stride
