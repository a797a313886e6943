// Normal equations of a tall least-squares problem, gathered block by block on the device.
#pragma once

#include "adaptive/plan/ceres_square_root.h"
#include "framework/tensor.h"

namespace stride {

/// Accumulates ‖r‖², Jᵀr and JᵀJ in float64 on the device of the blocks; nothing larger than P × P is
/// kept, and only P × P leaves the device, at `normal_equations()`. Of J no more than kSliceValues numbers stand in
/// float64 at a time.
class NormalAccumulator final {
 public:
  NormalAccumulator(int64_t parameters, const at::Device& device);

  /// Adds the residuals of s samples, r `[s, D]`, and their derivatives J `[P, s, D]`. Throws UsageError when
  /// the shapes disagree.
  void add(const Tensor& residual, const Tensor& jacobian);

  /// The same under a robust loss Σ_s ρ(‖r_s‖²): Huber's with threshold `delta` on ‖r_s‖. A sample's rows are
  /// weighted with ρ' before the products, so that the gradient is exact; infinity is the plain square.
  void add(const Tensor& residual, const Tensor& jacobian, double delta);

  [[nodiscard]] NormalEquations normal_equations() const;

  static constexpr int64_t kSliceValues = int64_t{1} << 20;

 private:
  int64_t parameters_;
  Tensor cost2_, g_, gram_;  // [], [P], [P, P]
};

/// ‖x_s − target_s‖² of each sample of x and target `[s, …]`: float64 `[s]`, computed in float64 with no more than
/// kSliceValues numbers at a time (or one sample's).
[[nodiscard]] Tensor squared_distances(const Tensor& x, const Tensor& target);

/// ρ(q) for q = ‖r_s‖² of each sample: q up to δ², then 2δ√q − δ². float64 `[s]`.
[[nodiscard]] Tensor huber(const Tensor& squared, double delta);
/// ρ'(q): 1, then δ/√q.
[[nodiscard]] Tensor huber_weight(const Tensor& squared, double delta);

}  // namespace stride
