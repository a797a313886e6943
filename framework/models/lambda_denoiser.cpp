#include "framework/models/lambda_denoiser.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace stride {
namespace {

bool has_labels(const ModelInfo& info) { return info.conditions.size() == 1 && info.conditions[0].classes > 0; }

LambdaDenoiser::Conditional without_condition(LambdaDenoiser::Plain denoise) {
  if (!denoise) return {};
  return [denoise = std::move(denoise)](const Tensor& x, const Times& sigma, const BatchState& /*condition*/) {
    return denoise(x, sigma);
  };
}

}  // namespace

LambdaDenoiser::LambdaDenoiser(ModelInfo info, Plain denoise)
    : LambdaDenoiser(std::move(info), without_condition(std::move(denoise))) {
  if (!info_.conditions.empty())
    throw UsageError(
        fmt::format("the denoiser '{}': ModelInfo names conditions, so the function must take them: "
                    "(x, sigma, condition)",
                    info_.name));
}

LambdaDenoiser::LambdaDenoiser(ModelInfo info, Conditional denoise, NullCondition null)
    : info_(std::move(info)), denoise_(std::move(denoise)), null_(std::move(null)) {
  if (info_.name.empty()) info_.name = "lambda";
  if (info_.kind.empty()) info_.kind = "lambda";
  if (!denoise_) throw UsageError(fmt::format("the denoiser '{}': the function is empty", info_.name));
  if (info_.shape.empty())
    throw UsageError(fmt::format("the denoiser '{}': ModelInfo::shape must say what one sample is, as in {{3, 32, 32}}",
                                 info_.name));
  if (!(info_.sigma_min > 0.0) || !(info_.sigma_min < info_.sigma_max) || !std::isfinite(info_.sigma_max))
    throw UsageError(
        fmt::format("the denoiser '{}': `sigma_min` must be positive and below `sigma_max`; they are {} "
                    "and {}",
                    info_.name, info_.sigma_min, info_.sigma_max));
}

Evaluation LambdaDenoiser::evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  const Tensor denoised = denoise_(x, sigma, condition);
  if (!denoised.defined() || denoised.sizes() != x.sizes())
    throw UsageError(
        fmt::format("the denoiser '{}' answered with the shape [{}] for x of the shape [{}]; they must be "
                    "the same",
                    info_.name, fmt::join(denoised.defined() ? denoised.sizes() : at::IntArrayRef{}, ", "),
                    fmt::join(x.sizes(), ", ")));
  return {denoised.to(x.options()), {}, {}};
}

BatchState LambdaDenoiser::null_condition(const BatchState& condition) const {
  if (null_) return null_(condition);
  if (has_labels(info_)) return BatchState({at::full_like(condition[0], -1)});
  return Denoiser::null_condition(condition);
}

}  // namespace stride
