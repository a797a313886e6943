// The family that jumps to D and adds back part of the noise: ddim, ddpm, euler_ancestral, and their CFG++ forms.
#pragma once

#include "solvers/solver_list.h"

namespace stride {

/// Which prediction says what the noise in x is. `unconditional` is CFG++ (Chung et al. 2024, arXiv:2406.08070, alg.
/// 2): the guided D, renoised along the slope of the prediction without the condition. Without guidance it is the same.
enum class NoiseOf { denoised, unconditional };

/// x ← D + (σ_down/σ)(x − D) + σ_up z with σ_up = η σ_to √(1 − σ_to²/σ²), σ_down² = σ_to² − σ_up². In EDM
/// coordinates this is DDIM (Song et al. 2021, arXiv:2010.02502, eq. 12 and 16) for any η, ancestral DDPM sampling
/// with the posterior variance (Ho et al. 2020, arXiv:2006.11239, eq. 6–7) for η = 1, and k-diffusion's Euler a.
[[nodiscard]] StepResult ancestral_step(Step& step, const Tensor& x, const BatchState& history, double eta,
                                        NoiseOf noise_of = NoiseOf::denoised);

/// A solver made of that step. Throws UsageError unless 0 ≤ eta ≤ 1.
[[nodiscard]] std::unique_ptr<Solver> make_ancestral_solver(SolverTraits traits, double eta,
                                                            NoiseOf noise_of = NoiseOf::denoised);

}  // namespace stride
