// Churn: noise added before each step of a deterministic method, Karras et al. 2022 (arXiv:2206.00364) alg. 2.
#pragma once

#include "solvers/solver_list.h"

#include <limits>

namespace stride {

/// Where a step starts after churn: the level σ̂ = (1 + γ)σ and x with the noise that belongs to it.
struct Churned {
  Tensor x;
  Times sigma;
};

/// γ = min(s_churn/N, √2 − 1) where s_tmin ≤ σ ≤ s_tmax, and 0 elsewhere; N is the number of steps of the run's grid,
/// the last jump included. The noise is the path's over the step's own interval, so that no two steps share any.
struct Churn {
  double s_churn = 0.0;
  double s_tmin = 0.0;
  double s_tmax = std::numeric_limits<double>::infinity();
  double s_noise = 1.0;

  /// s_churn, s_tmin, s_tmax and s_noise.
  [[nodiscard]] static Options<Churn> declared();
  [[nodiscard]] bool active() const noexcept { return s_churn != 0.0; }

  /// Traits of a method under this churn: it is stochastic, of strong order 1, and has no error estimate to go by.
  [[nodiscard]] SolverTraits claims(SolverTraits traits) const;

  /// x and Step::from themselves without churn, which draws nothing.
  [[nodiscard]] Churned raise(Step& step, const Tensor& x) const;
  /// The last jump: x ← D(x̂; σ̂).
  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const;
};

}  // namespace stride
