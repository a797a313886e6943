// What the stochastic exponential integrators share: the reverse SDE, solved exactly while D stands still.
#pragma once

#include "solvers/solver_list.h"

namespace stride {

/// Two ways of writing how much noise goes in, the same at η = 0 (none) and η = 1 (the reverse SDE of Song et al.
/// 2021).
enum class SdeKind {
  /// dx = −(1 + η)(x − D) dλ + σ√(2η) dB in λ = −ln σ: k-diffusion's 2M and 3M SDE, SEEDS, SA-Solver with η = τ².
  linear,
  /// Jumps to σ_down and noise back up, σ_up = ησ_to√(1 − σ_to²/σ²), σ_down² = σ_to² − σ_up²: k-diffusion's ancestral
  /// step. Over short steps it is ReverseSde(η).
  ancestral,
};

/// What x, D and unit normals count for in a jump, float64 `[B]`: x ← keep·x + gain·D + noise_std·z, keep + gain = 1.
struct SdeJump {
  Times keep, gain, noise_std;
};
[[nodiscard]] SdeJump sde_jump(const Times& from, const Times& to, const Times& eta, SdeKind kind = SdeKind::linear);

/// The options that every method of the family takes.
struct SdeOptions {
  double eta = 1.0;
  double s_noise = 1.0;
  SdeKind kind = SdeKind::linear;

  /// `eta`, at most 1 for SdeKind::ancestral, and `s_noise`.
  [[nodiscard]] static Options<SdeOptions> declared(SdeKind kind = SdeKind::linear);
  [[nodiscard]] bool draws() const noexcept { return eta != 0.0 && s_noise != 0.0; }
};

/// Traits of a method that claims `strong_order` where it draws noise and `order`, `start_order` on the probability
/// flow where eta is 0; with noise left out of a stochastic equation (s_noise = 0) it claims nothing.
[[nodiscard]] SolverTraits claims(SolverTraits traits, const SdeOptions& options, int order, int start_order);

/// One step's way through the SDE. Noise is drawn over adjoining intervals as the levels are asked for, and added up
/// as the exact solution does: over the clock σ^(−2η) (linear) or σ^(−2) (ancestral).
class SdePath final {
 public:
  SdePath(Step& step, const Tensor& x, const SdeOptions& options);

  /// x at level `to`, as if D were `data` all the way from Step::from. `to` must lie below the levels asked for before.
  [[nodiscard]] Tensor at(const Times& to, const Tensor& data);

 private:
  Step& step_;
  const Tensor& x_;
  const SdeOptions& options_;
  Times last_;    ///< level that the noise has come to
  Tensor noise_;  ///< Σ of variance 1 − (last/from)^(2·exponent); undefined before the first draw
};

/// h = ln(from/to), and z = −(1 + η)h, where the linear kind takes its φ functions.
struct SdeStepSize {
  Times h, z;
};
[[nodiscard]] SdeStepSize sde_step_size(const Times& from, const Times& to, double eta);

}  // namespace stride
