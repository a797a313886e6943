// Multistep weights that are exact for the linear part of the reverse SDE: what SA-Solver's predictor and corrector are
// made of.
#pragma once

#include "framework/tensor.h"

#include <vector>

namespace stride {

/// Weights of ∫ over the step of (1 + η)e^(−(1+η)(λ_to − λ)) ℓ_j(λ) dλ, λ = −ln σ, for the Lagrange basis ℓ of `nodes`
/// (levels, at least one): one float64 `[B]` per node, Σ_j = 1 − e^(−(1+η)h).
[[nodiscard]] std::vector<Times> exponential_adams_weights(const Times& from, const Times& to, const Times& eta,
                                                           const std::vector<Times>& nodes);

}  // namespace stride
