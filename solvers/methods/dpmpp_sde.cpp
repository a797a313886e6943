// DPM-Solver++ (stochastic): k-diffusion's sample_dpmpp_sde, a 2S step between ancestral jumps; η = 0 is
// DPM-Solver++(2S) of Lu et al. 2022 (arXiv:2211.01095) alg. 1.
#include "solvers/shared/sde_stages.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

struct DpmppSdeOptions : SdeOptions {
  double r = 0.5;
};

}  // namespace

SolverEntry solver_dpmpp_sde() {
  return solver_entry({.name = "dpmpp_sde",
                       .aliases = {"DPM++ SDE", "dpmpp_sde_gpu", "dpmpp_sde_k", "DPMSolverSDEScheduler"},
                       .family = "stochastic",
                       .reference = "k-diffusion sample_dpmpp_sde; Lu et al. 2022, arXiv:2211.01095, alg. 1",
                       .summary = "two evaluations and two ancestral jumps per step; second order at eta = 0",
                       .variants = {"eta=0.5,s_noise=1.1,r=0.4", "eta=0", "eta=0,r=0.7"},
                       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI"}},
                      {.strong_order = 1.0, .nfe = evaluations(2)}, {.stochastic = true},
                      options<DpmppSdeOptions>(SdeOptions::declared(SdeKind::ancestral),
                                               number("r", &DpmppSdeOptions::r, above(0).below(1),
                                                      "where the second evaluation lies in the step, in ln sigma")),
                      [](const SolverTraits& traits, const DpmppSdeOptions& options) {
                        const auto share = [r = options.r](const Times& z) { return at::full_like(z, 0.5 / r); };
                        return make_sde_stages(claims(traits, options, 2, 2), options, {{options.r, {}}, {1.0, share}});
                      });
}

}  // namespace stride
