#include "framework/denoiser.h"

#include "framework/error.h"

namespace stride {

BatchState Denoiser::null_condition(const BatchState& /*condition*/) const {
  throw UsageError("guidance: model '" + info().name +
                   "' has no unconditional form; leave `guidance` out or use a model trained with one");
}

Tensor Denoiser::constrain(const Tensor& denoised, const BatchState& /*condition*/) const { return denoised; }

}  // namespace stride
