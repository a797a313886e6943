#include "framework/models/gaussian_mixture.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include <cmath>
#include <numeric>

namespace stride {

std::string GaussianMixtureOptions::invalid_reason(const std::vector<int64_t>& shape) const {
  if (weights.empty()) return "gaussian_mixture: weights is empty; give at least one component";
  if (means.size() != weights.size() || std.size() != weights.size())
    return fmt::format("gaussian_mixture: {} weights, {} means and {} std; give one of each a component",
                       weights.size(), means.size(), std.size());
  if (!classes.empty() && classes.size() != weights.size())
    return fmt::format("gaussian_mixture: {} classes for {} components; give one a component or none", classes.size(),
                       weights.size());
  const int64_t dimensions = std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  for (std::size_t k = 0; k < weights.size(); ++k) {
    if (!(std::isfinite(weights[k]) && weights[k] > 0.0))
      return fmt::format("gaussian_mixture: weight {} must be positive", k);
    if (!(std::isfinite(std[k]) && std[k] >= 0.0)) return fmt::format("gaussian_mixture: std {} must be at least 0", k);
    if (static_cast<int64_t>(means[k].size()) != dimensions)
      return fmt::format("gaussian_mixture: mean {} has {} numbers, the shape has {}", k, means[k].size(), dimensions);
    for (const double value : means[k])
      if (!std::isfinite(value)) return fmt::format("gaussian_mixture: mean {} is not finite", k);
    if (!classes.empty() && classes[k] < 0) return fmt::format("gaussian_mixture: class {} is negative", k);
  }
  return {};
}

GaussianMixture::GaussianMixture(ModelInfo info, const GaussianMixtureOptions& options, at::Device device)
    : info_(std::move(info)) {
  if (const std::string reason = options.invalid_reason(info_.shape); !reason.empty()) throw UsageError(reason);
  const auto f64 = at::TensorOptions().dtype(at::kDouble);
  const Tensor weights = at::tensor(options.weights, f64);
  log_weights_ = (weights / weights.sum()).log().to(device);
  std::vector<Tensor> means;
  for (const auto& mean : options.means) means.push_back(at::tensor(mean, f64));
  means_ = at::stack(means).to(device);
  variances_ = at::tensor(options.std, f64).square().to(device);
  if (!options.classes.empty()) classes_ = at::tensor(options.classes, at::TensorOptions().dtype(at::kLong)).to(device);
}

Evaluation GaussianMixture::evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  const Tensor means = means_.unsqueeze(0);                                       // [1, K, D]
  const Tensor offset = x.flatten(1).to(at::kDouble).unsqueeze(1) - means;        // [B, K, D]
  const Tensor variance = variances_.unsqueeze(0) + sigma.square().unsqueeze(1);  // [B, K]
  const auto dimensions = static_cast<double>(means_.size(1));
  Tensor log_posterior =
      log_weights_.unsqueeze(0) - 0.5 * offset.square().sum(2) / variance - 0.5 * dimensions * variance.log();
  if (classes_.defined() && !condition.empty()) {
    const Tensor label = condition[0].unsqueeze(1);
    const Tensor belongs = (classes_.unsqueeze(0) == label).logical_or(label < 0);
    log_posterior = log_posterior.masked_fill(belongs.logical_not(), -std::numeric_limits<double>::infinity());
  }
  const Tensor posterior = log_posterior.softmax(1).unsqueeze(2);  // [B, K, 1]
  const Tensor shrink = (variances_.unsqueeze(0) / variance).unsqueeze(2);
  const Tensor denoised = (posterior * (means + shrink * offset)).sum(1);
  return {denoised.view(x.sizes()).to(x.scalar_type()), {}, {}};
}

BatchState GaussianMixture::null_condition(const BatchState& condition) const {
  if (!classes_.defined() || condition.empty()) return Denoiser::null_condition(condition);
  return BatchState({at::full_like(condition[0], -1)});
}

}  // namespace stride
