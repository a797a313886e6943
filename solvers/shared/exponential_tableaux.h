// The exponential tableaux as data.
#pragma once

#include "solvers/shared/exponential_step.h"

#include <string>

namespace stride {

/// Where the weights of the published variants differ; they agree to leading order in h.
enum class ExponentialWeighting {
  dpm_solver,  ///< Lu et al. 2022, arXiv:2206.00927, alg. 1–2; k-diffusion
  midpoint,    ///< diffusers' solver_type midpoint: another third stage, the rest as dpm_solver
  heun,        ///< diffusers' solver_type heun, "taylor" in the authors' code: the interpolating polynomial, exactly
};

/// One evaluation: DDIM, alias exponential Euler.
[[nodiscard]] ExponentialTableau exponential_first();

/// Two evaluations, at 0 and c2. b_2 = φ_1/(2c2) for dpm_solver and midpoint (arXiv:2206.00927, alg. 1, has c2 = ½),
/// φ_2/c2 for heun (Hochbruck & Ostermann 2005, SIAM J. Numer. Anal. 43, sec. 5.1).
[[nodiscard]] ExponentialTableau exponential_second(double c2, ExponentialWeighting weighting);

/// Three evaluations, at 0, 1/3 and 2/3: arXiv:2206.00927, alg. 2 of DPM-Solver-3, with the weights of `weighting`. The
/// embedded row is the two-evaluation method of its first two: with b_2 = φ_1/(2c2) for dpm_solver, which makes it
/// DPM-Solver-23, else with φ_2/c2, so that the estimate is a multiple of the curvature of g and no slope cancels it.
[[nodiscard]] ExponentialTableau exponential_third(ExponentialWeighting weighting);

/// The options of the single-step methods.
struct SinglestepOptions {
  int64_t order = 3;
  ExponentialWeighting weighting = ExponentialWeighting::dpm_solver;

  [[nodiscard]] static Options<SinglestepOptions> declared(int64_t order);
  /// One of the above.
  [[nodiscard]] ExponentialTableau tableau() const;
};

}  // namespace stride
