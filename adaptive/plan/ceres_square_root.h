// A least-squares problem seen only through its normal equations, as a small one with the same cost.
// No torch header here: Ceres and torch define the same macros.
#pragma once

#include <cstdint>
#include <vector>

namespace stride {

/// What is left of residuals r `[M]` and Jacobian J `[M, P]` after compression.
struct NormalEquations {
  double cost2 = 0.0;        ///< ‖r‖²
  std::vector<double> g;     ///< Jᵀr `[P]`
  std::vector<double> gram;  ///< G = JᵀJ `[P, P]`, row-major, symmetric
};

/// G = RᵀR and the residual [head; tail] of P + 1 entries whose Jacobian is [R; 0]: cost, gradient and
/// Gauss–Newton matrix are those of the full problem.
struct SquareRoot {
  std::vector<double> r;     ///< R `[P, P]`, row-major; rows of directions that were cut off are zero
  std::vector<double> head;  ///< R⁻ᵀg `[P]`, zero where cut off
  double tail = 0.0;         ///< √max(0, ‖r‖² − ‖R⁻ᵀg‖²)
  int64_t rank = 0;
};

/// By eigen-decomposition of G scaled to a unit diagonal, so that a parameter's unit does not matter.
/// Eigenvalues below `cutoff` times the largest are noise and are dropped: G may be rank-deficient (a
/// Cholesky factor would then succeed on noise). Throws UsageError when the sizes disagree.
[[nodiscard]] SquareRoot square_root(const NormalEquations& normal, double cutoff = 1e-14);

}  // namespace stride
