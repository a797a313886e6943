// What the controllers that read an error estimate share.
#pragma once

#include "framework/controller.h"
#include "framework/error.h"

#include <string>

namespace stride {

/// What to throw, naming the policy, for a solver without an error estimate.
[[nodiscard]] UsageError no_estimate(const SolverTraits& traits, const std::string& policy);

/// The solver's estimate. Throws UsageError, naming the policy, where the solver has none.
[[nodiscard]] const Tensor& estimate_of(const StepResult& result, const SolverTraits& traits,
                                        const std::string& policy);

/// RMS(error / scale) of each sample, float64 `[B]`; infinite where it is not a number.
[[nodiscard]] Times scaled_error(const Tensor& error, const Tensor& scale);

/// Status after an attempt: ok where a step was accepted that ends at `end`, step_underflow where the next step in ln σ
/// falls below `min_log_step`, non_finite where D(x) at an accepted x is not finite.
[[nodiscard]] Tensor status_after(const Step& step, const StepResult& result, const Tensor& accept,
                                  const Times& log_step, double min_log_step, double end);

}  // namespace stride
