// TCD: strategic stochastic sampling of Zheng et al. 2024 (arXiv:2402.19159) alg. 4, for models distilled to
// consistency along trajectories.
//
// From t to t' it goes to s = (1 − γ)t' along the model's trajectory, x_s = α_s D + σ_s ε, and diffuses from s to t'.
// Over α, in EDM coordinates: x ← D + (σ_s/σ)(x − D) + √(σ_t'² − σ_s²) z. The products (1 − γ)t' are whole
// timesteps, rounded down as in diffusers; a product that is whole but
// for its rounding counts as whole: 0.7·90 is 63, though not in float64.
#include "framework/grids/timestep_table.h"
#include "solvers/shared/ancestral.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr double kRounding = 1e-6;

struct TcdOptions {
  double gamma = 0.3;
};

Jump ddim_jump(const Step& step, const Evaluation& evaluation) {
  return {per_sample(step.to / step.from, evaluation.denoised), {}};
}

JumpRule rule_for(double gamma, const NoiseSchedule& axis, const at::Device& device) {
  return [gamma, timestep = TimestepTable(axis, device), table = at::tensor(axis.sigmas(), at::kDouble).to(device)](
             const Step& step, const Evaluation& evaluation) -> Jump {
    const Tensor at = ((1.0 - gamma) * timestep(step.to).round() + kRounding).floor().to(at::kLong);
    const Times middle = at::minimum(table.index_select(0, at), step.to);
    const Tensor& like = evaluation.denoised;
    return {per_sample(middle / step.from, like), per_sample(((step.to - middle) * (step.to + middle)).sqrt(), like)};
  };
}

}  // namespace

SolverEntry solver_tcd() {
  return solver_entry(
      {.name = "tcd",
       .aliases = {"TCD", "TCDScheduler"},
       .family = "consistency",
       .reference = "Zheng et al. 2024, arXiv:2402.19159, alg. 4",
       .summary = "trajectory consistency; gamma = 0 is DDIM, gamma = 1 is nearly LCM",
       .variants = {"gamma=0", "gamma=1"},
       .also = {"diffusers", "InvokeAI", "stable-diffusion.cpp"}},
      {.nfe = evaluations(1)}, {.stochastic = true},
      options<TcdOptions>(number("gamma", &TcdOptions::gamma, in_range(0, 1),
                                 "how far beyond the next level it jumps before the noise brings it back")
                              .also_as("eta")),
      [](SolverTraits traits, const TcdOptions& options, const SolverContext& context) {
        if (options.gamma == 0.0) {
          traits.stochastic = false;
          traits.order = traits.start_order = 1;
          return make_jump_solver(std::move(traits), ddim_jump);
        }
        const NoiseSchedule& axis = timestep_axis(context, traits);
        return make_jump_solver(std::move(traits), rule_for(options.gamma, axis, context.device));
      });
}

}  // namespace stride
