// SEEDS-2: Gonzalez et al. 2023 (arXiv:2305.14267), in the form that predicts D, for any η as ComfyUI has it.
#include "framework/error.h"
#include "solvers/shared/exponential.h"
#include "solvers/shared/sde_stages.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {

const SolverTraits& traits_seeds_2() {
  static const SolverTraits traits{
      .name = "seeds_2",
      .aliases = {"SEEDS-2"},
      .family = "stochastic",
      .strong_order = 1.0,
      .stochastic = true,
      .reference =
          "Gonzalez et al. 2023, arXiv:2305.14267, SEEDS-2, data prediction: "
          "x' = e^-z x - expm1(-z) (D + (D_r - D)/(2r)) + noise, z = (1 + eta) h",
      .summary = "two-stage exponential step for the reverse SDE; second order at eta = 0",
      .options = "eta=1,s_noise=1,r=0.5,solver_type=phi_1|phi_2",
      .variants = {"solver_type=phi_2", "eta=0.5,s_noise=1.1,r=0.4", "eta=0", "eta=0,solver_type=phi_2,r=0.7"},
      .also = {"ComfyUI"},
      .nfe = evaluations(2)};
  return traits;
}

std::unique_ptr<Solver> make_seeds_2(SolverOptions& options) {
  const SdeOptions sde = SdeOptions::read(options, "seeds_2");
  const double r = read_node(options, "seeds_2", "r", 0.5, 0.0, 1.0);
  const std::string type = options.word("solver_type", "phi_1");
  if (type != "phi_1" && type != "phi_2")
    throw UsageError(fmt::format("solver 'seeds_2': solver_type must be phi_1 or phi_2, not '{}'", type));
  const bool exact = type == "phi_2";
  const auto share = [r, exact](const Times& z) {
    return exact ? phi(2, z) / phi(1, z) / r : at::full_like(z, 0.5 / r);
  };
  return make_sde_stages(claims(traits_seeds_2(), sde, 2, 2), sde, {{r, {}}, {1.0, share}});
}

}  // namespace stride
