#include "adaptive/plan/compressed.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <cmath>
#include <limits>

namespace stride {
namespace {

std::vector<double> to_vector(const Tensor& tensor) {
  const Tensor host = tensor.to(at::kCPU, at::kDouble).contiguous();
  const double* data = host.const_data_ptr<double>();
  return {data, data + host.numel()};
}

}  // namespace

Tensor huber(const Tensor& squared, double delta) {
  if (!std::isfinite(delta)) return squared;
  return at::where(squared <= delta * delta, squared, 2.0 * delta * squared.sqrt() - delta * delta);
}

Tensor huber_weight(const Tensor& squared, double delta) {
  if (!std::isfinite(delta)) return at::ones_like(squared);
  return (delta / squared.sqrt()).clamp_max(1.0);  // δ/0 is clamped to 1 too
}

NormalAccumulator::NormalAccumulator(int64_t parameters, const at::Device& device) : parameters_(parameters) {
  const auto options = at::TensorOptions().dtype(at::kDouble).device(device);
  cost2_ = at::zeros({}, options);
  g_ = at::zeros({parameters}, options);
  gram_ = at::zeros({parameters, parameters}, options);
}

void NormalAccumulator::add(const Tensor& residual, const Tensor& jacobian) {
  add(residual, jacobian, std::numeric_limits<double>::infinity());
}

void NormalAccumulator::add(const Tensor& residual, const Tensor& jacobian, double delta) {
  if (residual.dim() != 2 || jacobian.sizes() != at::IntArrayRef({parameters_, residual.size(0), residual.size(1)}))
    throw UsageError(fmt::format("NormalAccumulator: residuals [s, D] need a Jacobian [{}, s, D]", parameters_));
  const Tensor r = residual.to(at::kDouble);
  const Tensor squared = r.square().sum(1);
  const Tensor root = huber_weight(squared, delta).sqrt().unsqueeze(1);  // [s, 1], splits evenly over J and r
  const Tensor rows = (jacobian.to(at::kDouble) * root).flatten(1);      // [P, s·D]
  cost2_ = cost2_ + huber(squared, delta).sum();
  g_ = g_ + rows.mv((r * root).flatten());
  gram_ = gram_ + rows.matmul(rows.t());
}

NormalEquations NormalAccumulator::normal_equations() const {
  return {to_vector(cost2_).front(), to_vector(g_), to_vector(gram_)};
}

}  // namespace stride
