// Runs of a plan and of its turned neighbours, batched.
#pragma once

#include "adaptive/plan/plan_parameters.h"
#include "framework/denoiser.h"
#include "framework/evaluator.h"

#include <algorithm>
#include <functional>

namespace stride {

/// What is compared of end points x `[n, …]`: φ(x) `[n, F]`, row by row.
using EndPointMap = std::function<Tensor(const Tensor& x)>;

/// What a plan is run on: S samples.
struct PlanInputs {
  const Denoiser& denoiser;
  Guidance guidance;
  Tensor start;              ///< `[S, …]`, EDM coordinates at the plan's first σ
  BatchState condition;      ///< S rows, in the order of the model's conditions
  EndPointMap compare = {};  ///< none: the end points themselves
  [[nodiscard]] Tensor compared(const Tensor& x) const { return compare ? compare(x) : x; }
};

/// How runs are cut into batches.
struct PlanBatching {
  int64_t rows = 1024;         ///< rows that run together
  std::function<bool()> stop;  ///< polled between batches; true throws PlanRunsStopped
  /// Samples whose derivatives are taken together: a column adds up to two turned runs of each to a batch.
  [[nodiscard]] int64_t samples() const { return std::max<int64_t>(1, rows / 2); }
};
struct PlanRunsStopped final {};

struct PlanEndpoints {
  Tensor x;                 ///< `[S, …]`: what is compared of them
  int64_t evaluations = 0;  ///< denoiser calls, counted per row
};

/// The plan's end points for all samples, as they are compared.
[[nodiscard]] PlanEndpoints plan_endpoints(const Plan& plan, const PlanInputs& inputs, const PlanBatching& batching);

struct PlanDistances {
  Tensor squared;           ///< float64 `[S]`: ‖x_s − target_s‖² of what is compared
  int64_t evaluations = 0;  ///< denoiser calls, counted per row
};

/// How far from `target` `[S, …]` (as it is compared) the plan ends. No end point is kept beyond its batch.
[[nodiscard]] PlanDistances plan_distances(const Plan& plan, const PlanInputs& inputs, const Tensor& target,
                                           const PlanBatching& batching);

/// How derivatives are taken: turned both ways (2 runs a column), or one way against the plan itself (1 run).
enum class Differences { central, forward };

struct PlanDerivatives {
  Tensor x;                 ///< `[s, …]`, end points of the plan itself, as they are compared
  Tensor jacobian;          ///< `[P, s, D]`: ∂x/∂column, dtype of x
  int64_t evaluations = 0;  ///< denoiser calls, counted per row
};

/// Derivatives of the end points by each of the space's columns, for all samples of `inputs` (no more than
/// batching.rows of them). A turned plan is run only from the first step that it changes: the states before it
/// are the plan's own, and so is the evaluation that it merely weighs differently.
[[nodiscard]] PlanDerivatives plan_derivatives(const PlanParameters& space, const Plan& plan, const PlanInputs& inputs,
                                               const PlanBatching& batching, double fd_step,
                                               Differences differences = Differences::central);

}  // namespace stride
