#include "adaptive/control/error_control.h"

#include <ATen/ATen.h>

#include <limits>

namespace stride {

UsageError no_estimate(const SolverTraits& traits, const std::string& policy) {
  return UsageError("policy '" + policy + "' needs an error estimate, and solver '" + traits.name +
                    "' has none; use ralston or heun, or `policy` fixed");
}

const Tensor& estimate_of(const StepResult& result, const SolverTraits& traits, const std::string& policy) {
  if (!result.error || !traits.error_order) throw no_estimate(traits, policy);
  return *result.error;
}

Times scaled_error(const Tensor& error, const Tensor& scale) {
  const Tensor squared = (error / scale).to(at::kDouble).square();
  return at::nan_to_num(squared.flatten(1).mean(1).sqrt(), std::numeric_limits<double>::infinity());
}

Tensor status_after(const Step& step, const StepResult& result, const Tensor& accept, const Times& log_step,
                    double min_log_step, double end) {
  Tensor status = at::full_like(accept, static_cast<int8_t>(Status::running), at::kChar);
  const auto mark = [&](const Tensor& where, Status value) {
    status = status.masked_fill(where, static_cast<int8_t>(value));
  };
  mark(log_step < min_log_step, Status::step_underflow);
  mark(accept.logical_and(step.to <= end), Status::ok);
  mark(all_finite(result.denoised).logical_not(), Status::non_finite);
  return status;
}

}  // namespace stride
