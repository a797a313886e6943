// Jumps of the base solver along stored trajectories: their errors, and what a run would know where they start.
#pragma once

#include "datasets/store/trajectory.h"
#include "neural/predictor/base_solver.h"
#include "neural/predictor/step_features.h"

#include <memory>
#include <vector>

namespace stride {

/// Places on the grid: the next step starts at `at`; `before` are those of the evaluations before it, newest first,
/// none at the start of a run.
struct JumpPlaces {
  int64_t at;
  std::vector<int64_t> before;
};

/// Everything is a vector per sample that the base solver combines linearly: the states themselves, or coefficients.
class JumpSource {
 public:
  virtual ~JumpSource() = default;
  JumpSource(const JumpSource&) = delete;
  JumpSource& operator=(const JumpSource&) = delete;

  [[nodiscard]] const Tensor& sigma() const noexcept { return batch_.sigma; }  ///< float64 `[n, K]`
  [[nodiscard]] const Tensor& seed() const noexcept { return batch_.seed; }    ///< int64 `[n]`
  [[nodiscard]] virtual StepStatistics statistics(const JumpPlaces& places) const = 0;

  /// RMS over a sample of (jump − stored state) for the jumps from `at` to every later point of positive σ: float64
  /// `[n, M]`. A jump is one step of the base solver after its steps between the places before.
  [[nodiscard]] Tensor errors(const JumpPlaces& places) const;

 protected:
  JumpSource(TrajectoryBatch batch, int64_t points, const Solver& base)
      : batch_(std::move(batch)), points_(points), base_(base) {}

  [[nodiscard]] virtual const Tensor& states() const = 0;       ///< `[n, K, …]`
  [[nodiscard]] virtual const Tensor& evaluations() const = 0;  ///< `[n, steps, …]`
  [[nodiscard]] virtual Tensor size_of(
      const Tensor& difference) const = 0;  ///< RMS over a sample, `[n, m]` of `[n, m, …]`

  [[nodiscard]] Tensor level(int64_t point) const { return batch_.sigma.select(1, point); }
  [[nodiscard]] Tensor state(int64_t point) const { return states().select(1, point); }
  [[nodiscard]] Tensor said(int64_t point) const { return evaluations().select(1, point); }
  [[nodiscard]] Tensor slope(int64_t point) const;
  [[nodiscard]] Tensor known(const JumpPlaces& places) const;  ///< int64 `[n]`: evaluations that the features look at

  TrajectoryBatch batch_;

 private:
  int64_t points_;
  const Solver& base_;
};

/// From states where the batch has them, else from its features; `points` of the grid have a positive σ. Both give the
/// same numbers, but for rounding. `base` is borrowed.
[[nodiscard]] std::unique_ptr<JumpSource> make_jump_source(TrajectoryBatch batch, int64_t points, const Solver& base);

}  // namespace stride
