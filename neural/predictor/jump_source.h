// Jumps of the base solver along stored trajectories: their errors, and what a run would know where they start.
#pragma once

#include "datasets/store/trajectory.h"
#include "neural/predictor/step_features.h"

#include <memory>

namespace stride {

/// Places on the grid: the next step starts at `at`; the evaluations before it were made at `last` and `before`, −1 for
/// none.
struct JumpPlaces {
  int64_t at, last, before;
};

class JumpSource {
 public:
  virtual ~JumpSource() = default;
  JumpSource(const JumpSource&) = delete;
  JumpSource& operator=(const JumpSource&) = delete;

  [[nodiscard]] virtual const Tensor& sigma() const noexcept = 0;  ///< float64 `[n, K]`
  [[nodiscard]] virtual const Tensor& seed() const noexcept = 0;   ///< int64 `[n]`
  [[nodiscard]] virtual StepStatistics statistics(const JumpPlaces& places) const = 0;
  /// jump_errors of the jumps from `at` to every later point of positive σ: float64 `[n, M]`.
  [[nodiscard]] virtual Tensor errors(const JumpPlaces& places) const = 0;

 protected:
  JumpSource() = default;
};

/// From states where the batch has them, else from its features; `points` of the grid have a positive σ. Both give the
/// same numbers, but for rounding.
[[nodiscard]] std::unique_ptr<JumpSource> make_jump_source(TrajectoryBatch batch, int64_t points);

}  // namespace stride
