// Straight lines of the probability flow, written so that no two terms of the size of σ are subtracted: over a step
// from σ = 12,000 to 80 the difference of two float32 numbers of the first size has lost all digits that the second
// needs.
#pragma once

#include "solvers/solver_list.h"

namespace stride {

/// D + keep·(x − D), keep float64 `[B]`. With keep = to/from it is where the tangent at x, D = D(x; from), comes to
/// `to`: x + (to − from)(x − D)/from.
[[nodiscard]] Tensor shrunk(const Tensor& x, const Tensor& denoised, const Times& keep);

/// A step of an explicit method whose stages lie near the tangent of its first one: x_i = D_1 + (σ_i/σ)(x − D_1) + y_i.
/// Its slope there is the first one's and (D_1 − D_i + y_i)/σ_i, in which that size does not occur.
class TangentStages final {
 public:
  /// `denoised` is D(x; from).
  TangentStages(const Tensor& x, const Tensor& denoised, Times from);

  /// x_i at `level` for y_i = `off`; undefined: 0.
  [[nodiscard]] Tensor at(const Times& level, const Tensor& off) const;
  /// What a slope at `level` has beyond the first, D_i being `there`.
  [[nodiscard]] Tensor bend(const Times& level, const Tensor& off, const Tensor& there) const;

 private:
  const Tensor& x_;
  const Tensor& denoised_;
  Times from_;
};

/// Σ_j weights[j]·parts[j − first] over j ≥ first without the zeros, times `scale`; undefined where all are zero.
[[nodiscard]] Tensor scaled_sum(const Tensor& scale, const std::vector<double>& weights,
                                const std::vector<Tensor>& parts, std::size_t first);

}  // namespace stride
