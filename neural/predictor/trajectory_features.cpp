#include "neural/predictor/trajectory_features.h"

#include "neural/predictor/step_features.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace stride {
namespace {

constexpr int64_t kValuesAtATime = int64_t{1} << 25;  // float64: 256 MB

/// `[n, V, …]` flattened, of `x` `[n, K, …]` and `denoised` `[n, steps, …]`.
Tensor basis(const Tensor& states, const Tensor& evaluations, const Tensor& sigma) {
  const Tensor x = states.to(at::kDouble).flatten(2);
  const Tensor denoised = evaluations.to(at::kDouble).flatten(2);
  const int64_t steps = denoised.size(1);
  const Tensor ratio = (sigma.narrow(1, 1, steps) / sigma.narrow(1, 0, steps)).unsqueeze(2);
  const Tensor residual = x.narrow(1, 1, steps) - ratio * x.narrow(1, 0, steps) - (1.0 - ratio) * denoised;
  return at::cat({x.narrow(1, 0, 1), denoised.narrow(1, 0, 1), denoised.diff(1, 1), residual}, 1);
}

Tensor pooled_of(const Tensor& denoised) {
  const int64_t n = denoised.size(0), steps = denoised.size(1);
  return pooled_statistics(denoised.flatten(0, 1)).view({n, steps, kPooledStatistics});
}

}  // namespace

TrajectoryBatch trajectory_features(const TrajectoryBatch& states, const std::vector<double>& sigmas) {
  const int64_t n = states.size();
  const auto on_device = states.x.options().dtype(at::kDouble);
  const Tensor sigma = states.sigma.defined() ? states.sigma.to(on_device)
                                              : at::tensor(sigmas, at::kDouble).to(on_device).expand({n, -1});
  TrajectoryBatch out = states;
  out.x = out.denoised = Tensor();
  const int64_t row = std::max<int64_t>(1, (states.x.numel() + states.denoised.numel()) / std::max<int64_t>(1, n));
  const int64_t rows = std::max<int64_t>(1, kValuesAtATime / row);
  std::vector<Tensor> gram, pooled;
  for (int64_t from = 0; from < n; from += rows) {
    const int64_t count = std::min(rows, n - from);
    const Tensor denoised = states.denoised.narrow(0, from, count);
    const Tensor vectors = basis(states.x.narrow(0, from, count), denoised, sigma.narrow(0, from, count));
    gram.push_back(at::bmm(vectors, vectors.transpose(1, 2)) / static_cast<double>(vectors.size(2)));
    pooled.push_back(pooled_of(denoised));
  }
  out.gram = at::cat(gram);
  out.pooled = at::cat(pooled);
  out.start = start_statistics(states.x.select(1, 0), sigma.select(1, 0));
  return out;
}

GramCoefficients gram_coefficients(const Tensor& sigma) {
  const int64_t n = sigma.size(0), steps = sigma.size(1) - 1;
  const Tensor unit = at::eye(2 * steps + 1, sigma.options());
  std::vector<Tensor> x = {unit[0].expand({n, -1})};
  std::vector<Tensor> denoised = {unit[1].expand({n, -1})};
  for (int64_t k = 1; k <= steps; ++k) {
    const Tensor ratio = (sigma.select(1, k) / sigma.select(1, k - 1)).unsqueeze(1);
    x.push_back(ratio * x.back() + (1.0 - ratio) * denoised.back() + unit[steps + k]);
    if (k < steps) denoised.push_back(denoised.back() + unit[1 + k]);
  }
  return {at::stack(x, 1), at::stack(denoised, 1)};
}

}  // namespace stride
