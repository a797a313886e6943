// What multistep methods share: linear combinations of slopes with weights of a row's own order.
#pragma once

#include "solvers/solver_list.h"

#include <vector>

namespace stride {

/// Weights of ∫ over [from, to] of the polynomial through the slopes at from, past[0], past[1], …
/// (newest first): one float64 `[B]` a slope, exact for up to four nodes (two-point Gauss–Legendre).
[[nodiscard]] std::vector<Times> adams_weights(const Times& from, const Times& to, const std::vector<Times>& past);

/// Row by row the weights of order min(count + 1, orders.size()); orders[k] has k + 1 weights, the missing
/// ones count as zero. Returns orders.size() weights, float64 `[B]` each.
[[nodiscard]] std::vector<Times> weights_by_count(const Tensor& count, const std::vector<std::vector<Times>>& orders);

/// x + Σ_j weights[j]·slope_j with slope_0 = `slope` and slope_j = past[j − 1].
[[nodiscard]] Tensor combine(const Tensor& x, const Tensor& slope, const History& past,
                             const std::vector<Times>& weights);

}  // namespace stride
