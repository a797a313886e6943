// TCD: strategic stochastic sampling of Zheng et al. 2024 (arXiv:2402.19159) alg. 4, for models distilled to
// consistency along trajectories.
//
// From t to t' it goes to s = (1 − γ)t' along the model's trajectory, x_s = α_s D + σ_s ε, and diffuses from s to t'.
// Over α, in EDM coordinates: x ← D + (σ_s/σ)(x − D) + √(σ_t'² − σ_s²) z. The products (1 − γ)t' are whole
// timesteps, rounded down as in diffusers; a product that is whole but
// for its rounding counts as whole: 0.7·90 is 63, though not in float64.
#include "framework/error.h"
#include "framework/grids/timestep_table.h"
#include "solvers/shared/ancestral.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr double kRounding = 1e-6;

}  // namespace

const SolverTraits& traits_tcd() {
  static const SolverTraits traits{.name = "tcd",
                                   .aliases = {"TCD", "TCDScheduler"},
                                   .family = "consistency",
                                   .stochastic = true,
                                   .reference = "Zheng et al. 2024, arXiv:2402.19159, alg. 4",
                                   .summary = "trajectory consistency; gamma = 0 is DDIM, gamma = 1 is nearly LCM",
                                   .options = "gamma=0.3",
                                   .variants = {"gamma=0", "gamma=1"},
                                   .also = {"diffusers", "InvokeAI", "stable-diffusion.cpp"},
                                   .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_tcd(SolverOptions& options) {
  const double gamma = options.number("gamma", options.number("eta", 0.3));
  if (!(gamma >= 0.0 && gamma <= 1.0))
    throw UsageError(fmt::format("solver 'tcd': gamma must lie in 0 … 1, not {}", gamma));
  SolverTraits traits = traits_tcd();
  if (gamma == 0.0) {
    traits.stochastic = false;
    traits.order = traits.start_order = 1;
    return make_jump_solver(std::move(traits), [](const Step& step, const Evaluation& evaluation) -> Jump {
      return {per_sample(step.to / step.from, evaluation.denoised), {}};
    });
  }
  return make_jump_solver(std::move(traits),
                          [gamma, timestep = TimestepTable(options.noise_schedule(), options.device()),
                           table = at::tensor(options.noise_schedule().sigmas(), at::kDouble).to(options.device())](
                              const Step& step, const Evaluation& evaluation) -> Jump {
                            const Tensor at =
                                ((1.0 - gamma) * timestep(step.to).round() + kRounding).floor().to(at::kLong);
                            const Times middle = at::minimum(table.index_select(0, at), step.to);
                            const Tensor& like = evaluation.denoised;
                            return {per_sample(middle / step.from, like),
                                    per_sample(((step.to - middle) * (step.to + middle)).sqrt(), like)};
                          });
}

}  // namespace stride
