// The family that jumps towards D and adds back part of the noise: ddim, ddpm, euler_ancestral,
// tcd, and the CFG++ forms.
#pragma once

#include "solvers/solver_list.h"

#include <functional>
#include <optional>

namespace stride {

/// Which prediction says what the noise in x is. `unconditional` is CFG++ (Chung et al. 2024, arXiv:2406.08070, alg.
/// 2): the guided D, renoised along the slope of the prediction without the condition. Without guidance it is the same.
enum class NoiseOf { denoised, unconditional };

/// x ← D + keep·(x − D) + spread·z, z unit normals; the D in parentheses is noise_of's. Both factors broadcast over x;
/// without a spread nothing is drawn.
struct Jump {
  Tensor keep;
  std::optional<Tensor> spread;
  NoiseOf noise_of = NoiseOf::denoised;
};

/// What a method makes of one evaluation at Step::from.
using JumpRule = std::function<Jump(const Step& step, const Evaluation& evaluation)>;

/// A solver made of jumps by `rule`, which must be pure; the last jump is x ← D.
[[nodiscard]] std::unique_ptr<Solver> make_jump_solver(SolverTraits traits, JumpRule rule);

/// Where an ancestral step goes down to, and the standard deviation of the noise that brings it up again: σ_up =
/// η σ_to √(1 − σ_to²/σ²), at most σ_to, and σ_down² = σ_to² − σ_up². k-diffusion's get_ancestral_step.
struct AncestralLevels {
  Times down, up;
};
[[nodiscard]] AncestralLevels ancestral_levels(const Times& from, const Times& to, double eta);

/// Options of its solvers.
struct AncestralOptions {
  double eta = 1.0;
  double s_noise = 1.0;

  /// `eta` alone, at most 1: DDIM's.
  [[nodiscard]] static Options<AncestralOptions> declared(double eta = 1.0);
  /// `eta` of any size and `s_noise`: k-diffusion's.
  [[nodiscard]] static Options<AncestralOptions> of_any_size();
  [[nodiscard]] bool draws() const noexcept { return eta != 0.0 && s_noise != 0.0; }
};

/// keep = σ_down/σ and spread = s_noise·σ_up (ancestral_levels). In EDM coordinates this is DDIM (Song et al. 2021,
/// arXiv:2010.02502, eq. 12 and 16) for any η ≤ 1, ancestral DDPM sampling with the posterior variance (Ho et al. 2020,
/// arXiv:2006.11239, eq. 6–7) for η = 1, and k-diffusion's Euler a.
[[nodiscard]] std::unique_ptr<Solver> make_ancestral_solver(SolverTraits traits, const AncestralOptions& options,
                                                            NoiseOf noise_of = NoiseOf::denoised);

}  // namespace stride
