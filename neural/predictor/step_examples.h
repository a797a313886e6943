// What stored trajectories teach about steps: local errors of jumps, without one evaluation of the denoiser.
#pragma once

#include "datasets/store/trajectory.h"
#include "framework/tensor.h"

namespace stride {

/// Jumps of the base solver from one stored point b of each trajectory to several later ones.
struct Jumps {
  Tensor x;              ///< `[n, …]` at b
  Tensor denoised;       ///< D at b
  Times sigma;           ///< float64 `[n]`
  Tensor last_denoised;  ///< D at the evaluation before; undefined: none, the jump is first-order
  Times last_sigma;      ///< float64 `[n]`
  Tensor target;         ///< `[n, M, …]` the stored states further on
  Tensor target_sigma;   ///< float64 `[n, M]`, positive
};

/// RMS over a sample of (jump − stored state): float64 `[n, M]`. The jump is one step of DPM-Solver++(2M), Lu et al.
/// 2022 (arXiv:2211.01095) algorithm 2: x_c = (σ_c/σ_b)·x_b + (1 − σ_c/σ_b)·(D_b + h/(2·h_last)·(D_b − D_a)), h and
/// h_last the steps in ln σ; without a last evaluation, D_b alone (DDIM).
[[nodiscard]] Tensor jump_errors(const Jumps& jumps);

/// ln of the largest step in ln σ whose error stays at or below the tolerance: float64 `[n]`, from `errors` and
/// `steps` `[n, M]` (steps ascending) and `tolerance` `[n]`. Between two stored points the error is taken for a power
/// of the step; below the first and beyond the last it is taken to grow with the power `order`. Beyond, the answer is
/// at most four times the step to the last point. (Were it that step itself, a network that aims a little below it
/// would never reach the end of the run, and creep there in ever smaller steps.)
[[nodiscard]] Tensor largest_step(const Tensor& errors, const Tensor& steps, const Tensor& tolerance, double order);

/// One row: what a run would know, a tolerance, and the right answer.
struct StepExamples {
  Tensor features;       ///< float64 `[E, F]`, step_features
  Tensor log_tolerance;  ///< float64 `[E]`
  Tensor log_step;       ///< float64 `[E]`: ln of the largest step
  Tensor trajectory;     ///< int64 `[E]`: the seed of the trajectory it comes from

  [[nodiscard]] int64_t size() const { return features.defined() ? features.size(0) : 0; }
  [[nodiscard]] static StepExamples concat(const std::vector<StepExamples>& parts);
  [[nodiscard]] StepExamples select(const Tensor& rows) const;
};

struct ExampleOptions {
  double tolerance_min = 2e-3;  ///< the tolerances, log-uniform between these
  double tolerance_max = 0.5;
  int64_t jumps = 24;      ///< starts drawn a trajectory
  int64_t tolerances = 4;  ///< drawn a start
  uint64_t seed = 0;
};

/// Examples from whole trajectories (positive σ only are used). A function of the arguments: each group of up to 64
/// trajectories shares the places of its jumps. Throws UsageError with fewer than three positive points.
[[nodiscard]] StepExamples make_step_examples(const TrajectoryBatch& batch, const ExampleOptions& options);

}  // namespace stride
