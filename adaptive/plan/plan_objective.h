// What a plan fit minimises, as Ceres sees it: parameters in, normal equations out.
#pragma once

#include "adaptive/plan/ceres_square_root.h"
#include "adaptive/plan/plan_runs.h"

#include <vector>

namespace stride {

struct PlanObjectiveOptions {
  double fd_step = 2e-3;
  Differences differences = Differences::central;
  double weight_prior = 0.0;  ///< added to the cost for each weight: this times its squared correction
  double scale_prior = 0.0;   ///< the same for each log s
  double huber = 0.0;         ///< threshold on the norm of a sample's residual; infinity: least squares
  PlanBatching batching;
};

/// cost2 = (1/(S·D))·Σ_s ρ(‖x_s − target_s‖²) + prior: the mean squared residual, plus the priors' rows.
class PlanObjective final {
 public:
  /// `target`: the teacher's end points, as they are compared. Throws UsageError unless there are as many as starts.
  /// Space and inputs are borrowed.
  PlanObjective(const PlanParameters& space, const PlanInputs& inputs, Tensor target,
                const PlanObjectiveOptions& options);

  struct Value {
    NormalEquations normal;
    int64_t evaluations = 0;  ///< denoiser calls, counted per row
  };
  /// May throw PlanRunsStopped.
  [[nodiscard]] Value operator()(const std::vector<double>& parameters, bool want_jacobian) const;

 private:
  [[nodiscard]] Value cost_alone(const Plan& plan) const;
  [[nodiscard]] Value with_jacobian(const Plan& plan) const;
  void add_prior(const std::vector<double>& parameters, bool want_jacobian, NormalEquations& normal) const;

  const PlanParameters& space_;
  const PlanInputs& inputs_;
  Tensor target_;
  PlanObjectiveOptions options_;
};

/// CᵀGC and Cᵀg: the same problem in parameters whose derivatives are `chain` C `[P, P]`, row-major.
[[nodiscard]] NormalEquations chained(const NormalEquations& normal, const std::vector<double>& chain);

}  // namespace stride
