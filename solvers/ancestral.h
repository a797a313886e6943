// The family that jumps towards D and adds back part of the noise: ddim, ddpm, euler_ancestral.
#pragma once

#include "solvers/solver_list.h"

namespace stride {

/// Where an ancestral step goes down to, and the standard deviation of the noise that brings it up again: σ_up =
/// η σ_to √(1 − σ_to²/σ²), σ_down² = σ_to² − σ_up². k-diffusion's get_ancestral_step for 0 ≤ η ≤ 1.
struct AncestralLevels {
  Times down, up;
};
[[nodiscard]] AncestralLevels ancestral_levels(const Times& from, const Times& to, double eta);

/// x ← D + (σ_down/σ)(x − D) + σ_up z . In EDM coordinates this is DDIM (Song et al. 2021, arXiv:2010.02502, eq. 12 and
/// 16) for any η, ancestral DDPM sampling with the posterior variance (Ho et al. 2020, arXiv:2006.11239, eq. 6–7) for η
/// = 1, and k-diffusion's Euler a.
[[nodiscard]] StepResult ancestral_step(Step& step, const Tensor& x, const BatchState& history, double eta);

/// A solver made of that step. Throws UsageError unless 0 ≤ eta ≤ 1.
[[nodiscard]] std::unique_ptr<Solver> make_ancestral_solver(SolverTraits traits, double eta);

}  // namespace stride
