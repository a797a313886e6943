// What multistep methods share: the weights of the values that they remember, row by row of its own order.
#pragma once

#include "solvers/solver_list.h"

#include <vector>

namespace stride {

/// Weights of the polynomial through the values at `nodes` under a quadrature: Σ_q measures[q]·ℓ_j(points[q]) with the
/// Lagrange basis ℓ_j; `points` and `measures` are float64 `[Q, B]`, the result is one float64 `[B]` per node.
[[nodiscard]] std::vector<Times> quadrature_weights(const Tensor& points, const Tensor& measures,
                                                    const std::vector<Times>& nodes);

/// The same where ∫ s^k is moments[k]: Σ_k (coefficient of s^k in ℓ_j)·moments[k]; as many moments as nodes.
[[nodiscard]] std::vector<Times> moment_weights(const std::vector<Times>& moments, const std::vector<Times>& nodes);

/// Weights of ∫ over [from, to] of the polynomial through the slopes at from, past[0], past[1], …
/// (newest first): one float64 `[B]` per slope, exact for up to four nodes (two-point Gauss–Legendre).
[[nodiscard]] std::vector<Times> adams_weights(const Times& from, const Times& to, const std::vector<Times>& past);

/// Times in units of a step in λ = −ln σ, as exponential methods count them: 0 at `from`, 1 at `to`, negative in the
/// past; `from` comes first.
[[nodiscard]] std::vector<Times> log_nodes(const Times& from, const Times& to, const std::vector<Times>& past);

/// ∫ of s^k, k < count, in those units, where the denoised image is a polynomial in λ: the solution over a step is
/// (to/from)·x + h ∫₀¹ e^((s−1)h) D ds = … + Σ_k k!·h·φ_{k+1}(−h)·D_k. Hochbruck & Ostermann 2010, Acta Numerica 19.
[[nodiscard]] std::vector<Times> denoised_moments(const Times& from, const Times& to, int64_t count);

/// The same where the slope (the noise) is one: x + ∫ slope dσ, dσ = −h·to·e^((1−s)h) ds.
[[nodiscard]] std::vector<Times> slope_moments(const Times& from, const Times& to, int64_t count);

/// Row by row the weights of order min(count + 1, orders.size()); orders[k] has k + 1 weights, the missing
/// ones count as zero. Returns orders.size() weights, float64 `[B]` each.
[[nodiscard]] std::vector<Times> weights_by_count(const Tensor& count, const std::vector<std::vector<Times>>& orders);

/// x + Σ_j weights[j]·value_j with value_0 = `newest` and value_j = past[j − 1].*value.
[[nodiscard]] Tensor combine(const Tensor& x, const Tensor& newest, const History& past,
                             const std::vector<Times>& weights, Tensor HistoryEntry::*value = &HistoryEntry::slope);

}  // namespace stride
