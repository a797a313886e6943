// DPM-Solver++ (stochastic): k-diffusion's sample_dpmpp_sde, a 2S step between ancestral jumps; η = 0 is
// DPM-Solver++(2S) of Lu et al. 2022 (arXiv:2211.01095) alg. 1.
#include "solvers/shared/sde_stages.h"

#include <ATen/ATen.h>

namespace stride {

const SolverTraits& traits_dpmpp_sde() {
  static const SolverTraits traits{
      .name = "dpmpp_sde",
      .aliases = {"DPM++ SDE", "dpmpp_sde_gpu", "dpmpp_sde_k", "DPMSolverSDEScheduler"},
      .family = "stochastic",
      .strong_order = 1.0,
      .stochastic = true,
      .reference = "k-diffusion sample_dpmpp_sde; Lu et al. 2022, arXiv:2211.01095, alg. 1",
      .summary = "two evaluations and two ancestral jumps a step; second order at eta = 0",
      .options = "eta=1,s_noise=1,r=0.5",
      .variants = {"eta=0.5,s_noise=1.1,r=0.4", "eta=0", "eta=0,r=0.7"},
      .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI"},
      .nfe = evaluations(2)};
  return traits;
}

std::unique_ptr<Solver> make_dpmpp_sde(SolverOptions& options) {
  const SdeOptions sde = SdeOptions::read(options, "dpmpp_sde", SdeKind::ancestral);
  const double r = read_node(options, "dpmpp_sde", "r", 0.5, 0.0, 1.0);
  const auto share = [r](const Times& z) { return at::full_like(z, 0.5 / r); };
  return make_sde_stages(claims(traits_dpmpp_sde(), sde, 2, 2), sde, {{r, {}}, {1.0, share}});
}

}  // namespace stride
