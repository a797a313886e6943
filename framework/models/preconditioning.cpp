#include "framework/models/preconditioning.h"

#include "framework/models/preconditioning_cuda.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

namespace stride {
namespace {

bool wants_gradient(const Tensor& value) { return at::GradMode::is_enabled() && value.requires_grad(); }

bool by_kernel(const Tensor& x, const Times& scale, const Tensor& other, at::ScalarType narrow) {
  return x.is_cuda() && preconditioning_cuda_takes(x, narrow) && !wants_gradient(x) && !wants_gradient(scale) &&
         !wants_gradient(other);
}

}  // namespace

Tensor network_input_plain(const Tensor& x, const Times& scale, at::ScalarType type) {
  return (x * per_sample(scale, x)).to(type);
}

Tensor network_input(const Tensor& x, const Times& scale, at::ScalarType type) {
  return by_kernel(x, scale, x, type) ? network_input_cuda(x, scale, type) : network_input_plain(x, scale, type);
}

Tensor denoised_from_plain(const Tensor& x, const Tensor& output, const Scalings& scale) {
  return per_sample(scale.skip, x) * x + per_sample(scale.out, x) * output.to(x.scalar_type());
}

Tensor denoised_from(const Tensor& x, const Tensor& output, const Scalings& scale) {
  return output.sizes() == x.sizes() && by_kernel(x, scale.out, output, output.scalar_type())
             ? denoised_from_cuda(x, output, scale)
             : denoised_from_plain(x, output, scale);
}

std::optional<Scalings> fused_scalings(ScalingKind kind, double sigma_data, const Times& sigma) {
  if (!sigma.is_cuda() || sigma.scalar_type() != at::kDouble || sigma.numel() == 0 || wants_gradient(sigma)) return {};
  const Tensor all = scalings_cuda(kind, sigma_data, sigma);
  return Scalings{all.select(0, 0), all.select(0, 1), all.select(0, 2)};
}

}  // namespace stride
