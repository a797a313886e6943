#include "adaptive/plan/compressed.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace stride {
namespace {

std::vector<double> to_vector(const Tensor& tensor) {
  const Tensor host = tensor.to(at::kCPU, at::kDouble).contiguous();
  const double* data = host.const_data_ptr<double>();
  return {data, data + host.numel()};
}

// ‖r_s‖², without a second tensor of the size of r `[s, D]`.
Tensor squared_lengths(const Tensor& r) { return at::linalg_vector_norm(r, 2, at::IntArrayRef{1}).square(); }

}  // namespace

Tensor squared_distances(const Tensor& x, const Tensor& target) {
  const int64_t samples = x.size(0);
  const int64_t together = std::max<int64_t>(1, NormalAccumulator::kSliceValues * samples / x.numel());
  std::vector<Tensor> squared;
  for (int64_t from = 0; from < samples; from += together) {
    const int64_t n = std::min(together, samples - from);
    squared.push_back(squared_lengths(
        x.narrow(0, from, n).to(at::kDouble, false, /*copy=*/true).sub_(target.narrow(0, from, n)).flatten(1)));
  }
  return at::cat(squared);
}

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
  const Tensor squared = squared_lengths(residual.to(at::kDouble));
  const Tensor root = huber_weight(squared, delta).sqrt().unsqueeze(1);  // [s, 1], splits evenly over J and r
  cost2_ = cost2_ + huber(squared, delta).sum();
  const int64_t samples = residual.size(0), values = residual.size(1);
  const int64_t each = std::max<int64_t>(1, kSliceValues / std::max<int64_t>(1, parameters_));  // of a column of J
  const int64_t wide = std::min(each, values);
  const int64_t tall = std::min(each / wide, samples);
  for (int64_t from = 0; from < samples; from += tall) {
    const int64_t n = std::min(tall, samples - from);
    const Tensor weight = root.narrow(0, from, n);
    for (int64_t first = 0; first < values; first += wide) {
      const int64_t width = std::min(wide, values - first);
      const auto slice = [&](const Tensor& t) {
        return t.narrow(-2, from, n).narrow(-1, first, width).to(at::kDouble) * weight;
      };
      const Tensor rows = slice(jacobian).flatten(1);  // [P, n·width]
      g_ = g_ + rows.mv(slice(residual).flatten());
      gram_ = gram_ + rows.matmul(rows.t());
    }
  }
}

NormalEquations NormalAccumulator::normal_equations() const {
  return {to_vector(cost2_).front(), to_vector(g_), to_vector(gram_)};
}

}  // namespace stride
