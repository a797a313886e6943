// What stored trajectories teach about steps: local errors of jumps, without one evaluation of the denoiser.
#pragma once

#include "datasets/store/trajectory.h"
#include "framework/solver.h"
#include "framework/tensor.h"

#include <functional>

namespace stride {

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

/// Examples of the steps of `base` (see base_refusal) from whole trajectories (positive σ only are used). A function of
/// the arguments: each group of up to 64 trajectories shares the places of its jumps. Where `stop`, asked after each
/// group, says so, only those until then. Throws UsageError with fewer than three positive points.
[[nodiscard]] StepExamples make_step_examples(const TrajectoryBatch& batch, const Solver& base,
                                              const ExampleOptions& options, const std::function<bool()>& stop = {});

}  // namespace stride
