#include "framework/models/narrow_denoiser.h"

#include <ATen/ATen.h>

#include <utility>

namespace stride {

NarrowDenoiser::NarrowDenoiser(std::shared_ptr<const Denoiser> inner, at::ScalarType dtype)
    : inner_(std::move(inner)), edm_(make_parameterisation("edm", inner_->info().sigma_data)), dtype_(dtype) {}

template <class Evaluate>
Evaluation NarrowDenoiser::narrowed(const Tensor& x, const Times& sigma, const Evaluate& evaluate) const {
  const auto rounded = [&](const Tensor& values) { return values.to(dtype_).to(values.scalar_type()); };
  const Scalings scale = edm_->at(sigma);
  const Tensor in = per_sample(scale.in, x), out = per_sample(scale.out, x), skipped = per_sample(scale.skip, x) * x;
  const auto of_network = [&](const Tensor& denoised) { return skipped + out * rounded((denoised - skipped) / out); };
  Evaluation said = evaluate(rounded(x * in) / in);
  said.denoised = of_network(said.denoised);
  if (said.unconditional) said.unconditional = of_network(*said.unconditional);
  if (said.log_variance) said.log_variance = rounded(*said.log_variance);
  return said;
}

Evaluation NarrowDenoiser::evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  return narrowed(x, sigma, [&](const Tensor& seen) { return inner_->evaluate(seen, sigma, condition); });
}

Evaluation NarrowDenoiser::evaluate_both(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  return narrowed(x, sigma, [&](const Tensor& seen) { return inner_->evaluate_both(seen, sigma, condition); });
}

BatchState NarrowDenoiser::null_condition(const BatchState& condition) const {
  return inner_->null_condition(condition);
}

Tensor NarrowDenoiser::constrain(const Tensor& denoised, const BatchState& condition) const {
  return inner_->constrain(denoised, condition);
}

}  // namespace stride
