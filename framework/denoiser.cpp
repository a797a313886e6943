#include "framework/denoiser.h"

#include "framework/error.h"

namespace stride {

Evaluation Denoiser::evaluate_both(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  Evaluation result = evaluate(x, sigma, condition);
  result.unconditional = evaluate(x, sigma, null_condition(condition)).denoised;
  return result;
}

BatchState Denoiser::null_condition(const BatchState& /*condition*/) const {
  throw UsageError("guidance: model '" + info().name +
                   "' has no unconditional form; leave `guidance` out or use a model trained with one");
}

Tensor Denoiser::constrain(const Tensor& denoised, const BatchState& /*condition*/) const { return denoised; }

}  // namespace stride
