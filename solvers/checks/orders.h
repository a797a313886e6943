// The orders of convergence that a solver has.
#pragma once

#include "framework/solver.h"

#include <vector>

namespace stride {

/// How far a measured order may lie from a claim.
inline constexpr double kOrderTolerance = 0.15;

/// Least-squares slope of log(error) against log(1/N).
[[nodiscard]] double slope_of(const std::vector<int64_t>& steps, const std::vector<double>& errors);

/// On the flow of a Gaussian, from SolverClaims::order's start, whose history holds exact evaluations (`primed`), or
/// from its own. Where that is above the claim a mixture decides: a method may be better on a Gaussian than it is, as
/// the midpoint rule in σ, whose leading error there is zero. In float64 on `device`.
[[nodiscard]] double measured_order(const Solver& solver, bool primed, at::Device device);

/// The strong order of a stochastic solver, or of one that integrates SDEs, on one Brownian tree and a smooth drift.
[[nodiscard]] double measured_strong_order(const Solver& solver, at::Device device);

/// Whether a measurement bears the claim out.
[[nodiscard]] bool meets(double order, double claim);

}  // namespace stride
