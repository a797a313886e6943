// What step predictors need of a trajectory, without its pixels.
#pragma once

#include "datasets/store/trajectory.h"

#include <vector>

namespace stride {

// The Gram matrix is that of V = 2·steps + 1 vectors, inner products divided by the values of a sample:
//   x_0, D_0, D_k − D_{k−1} for k = 1 … steps − 1, and r_k = x_k − (ρ_k·x_{k−1} + (1 − ρ_k)·D_{k−1}) for k = 1 … steps,
// where ρ_k = σ_k/σ_{k−1}. They span what {x_k, D_k} spans. Local errors of linear multistep jumps are combinations of
// the small ones alone, so that their squares keep full precision: from products of the states themselves an error of
// 1e-4 beside states of 80 would keep three digits.

/// `states` without x and denoised, but with gram, pooled and start, on its device. `sigmas` `[K]` where the batch has
/// no sigma of its own.
[[nodiscard]] TrajectoryBatch trajectory_features(const TrajectoryBatch& states, const std::vector<double>& sigmas);

/// x_k and D_k as combinations of the vectors above.
struct GramCoefficients {
  Tensor x;         ///< float64 `[n, K, V]`
  Tensor denoised;  ///< float64 `[n, steps, V]`
};
/// `sigma` float64 `[n, K]`.
[[nodiscard]] GramCoefficients gram_coefficients(const Tensor& sigma);

}  // namespace stride
