// The arithmetic of the reversible Heun method, forwards and backwards, for the solver and for its gradients.
#pragma once

#include "framework/solver.h"

namespace stride {

/// What the method knows at one level: y, its prediction ŷ (both times σ, so that they are states), and D(σŷ; σ).
struct ReversiblePair {
  Tensor x;         ///< z of the paper `[B, …]`
  Tensor hat;       ///< ẑ
  Tensor denoised;  ///< D(hat; level)
  Times level;      ///< float64 `[B]`
};

/// z at `level` below, where D of its prediction is `denoised`: r·z + (1 − r)(D + D′)/2 with r = level/before.level.
[[nodiscard]] Tensor reversible_corrected(const ReversiblePair& before, const Tensor& denoised, const Times& level);
/// ẑ at `level` below: r(2z − ẑ) + (1 − r)D.
[[nodiscard]] Tensor reversible_predicted(const ReversiblePair& before, const Times& level);
/// ẑ at `level` above `after`, and z there once D of that prediction is known: the two above, taken back.
[[nodiscard]] Tensor reversible_prediction_before(const ReversiblePair& after, const Times& level);
[[nodiscard]] Tensor reversible_before(const ReversiblePair& after, const Tensor& denoised, const Times& level);

/// The pair at `from` that a step or the last jump of the solver stood on: x is what it was called with, `memory` its
/// BatchState, `denoised` its evaluation.
[[nodiscard]] ReversiblePair reversible_pair(const Tensor& x, const BatchState& memory, const Tensor& denoised,
                                             const Times& from);

}  // namespace stride
