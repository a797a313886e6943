#include "datasets/metrics/mixture_metrics.h"

#include "datasets/metrics/block_metric.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stride {
namespace {

struct Components {
  Tensor log_weights, weights, means, variances;  // [K], [K], [K, D], [K]
};

Components components_of(const GaussianMixtureOptions& mixture) {
  const auto f64 = at::TensorOptions().dtype(at::kDouble);
  std::vector<Tensor> means;
  for (const auto& mean : mixture.means) means.push_back(at::tensor(mean, f64));
  if (means.empty()) throw UsageError("a mixture without components has no law to compare with");
  Tensor weights = at::tensor(mixture.weights, f64);
  weights = weights / weights.sum();
  return {weights.log(), weights, at::stack(means), at::tensor(mixture.std, f64).square()};
}

bool has_density(const GaussianMixtureOptions& mixture) {
  return std::all_of(mixture.std.begin(), mixture.std.end(), [](double s) { return s > 0.0; });
}

Tensor rows_of(const GaussianMixtureOptions& mixture, const Tensor& x) {
  if (x.dim() < 2 || x.flatten(1).size(1) != static_cast<int64_t>(mixture.means.at(0).size()))
    throw UsageError(
        fmt::format("the mixture has {} dimensions, and the samples have not", mixture.means.at(0).size()));
  return x.flatten(1).to(at::kDouble);
}

}  // namespace

GaussianMixtureOptions mixture_of_class(const GaussianMixtureOptions& mixture, int64_t label) {
  if (mixture.classes.empty() || label < 0) return mixture;
  GaussianMixtureOptions out;
  for (std::size_t k = 0; k < mixture.classes.size(); ++k) {
    if (mixture.classes[k] != label) continue;
    out.weights.push_back(mixture.weights[k]);
    out.means.push_back(mixture.means[k]);
    out.std.push_back(mixture.std[k]);
  }
  if (out.weights.empty()) throw UsageError(fmt::format("no component of the mixture has the label {}", label));
  return out;
}

FeatureStatistics mixture_moments(const GaussianMixtureOptions& mixture) {
  const Components parts = components_of(mixture);
  const Tensor mean = (parts.weights.unsqueeze(1) * parts.means).sum(0);
  const Tensor offset = (parts.means - mean) * parts.weights.sqrt().unsqueeze(1);
  const Tensor covariance =
      at::mm(offset.t(), offset) + (parts.weights * parts.variances).sum() * at::eye(mean.size(0), mean.options());
  return {mean, covariance, 0};
}

Tensor mixture_log_likelihood(const GaussianMixtureOptions& mixture, const Tensor& x) {
  if (!has_density(mixture)) throw UsageError("a mixture with a component of std 0 has no density");
  const Tensor rows = rows_of(mixture, x);
  const Components parts = components_of(mixture);
  const Tensor means = parts.means.to(rows.device());
  const Tensor variances = parts.variances.to(rows.device());
  const auto dimensions = static_cast<double>(rows.size(1));
  std::vector<Tensor> logs;
  for (int64_t k = 0; k < means.size(0); ++k) {
    const Tensor distance = (rows - means[k]).square().sum(1) / variances[k];
    logs.push_back(parts.log_weights[k].to(rows.device()) -
                   0.5 * (distance + dimensions * (variances[k] * 2.0 * std::numbers::pi).log()));
  }
  return at::stack(logs, 1).logsumexp(1);
}

MixtureMetric mixture_metric(const GaussianMixtureOptions& mixture, const Tensor& x,
                             const std::vector<int64_t>& bounds) {
  const Tensor rows = rows_of(mixture, x);
  MixtureMetric out;
  const FeatureStatistics law = mixture_moments(mixture);
  out.frechet = frechet_metric(rows, law, bounds);
  if (mixture.weights.size() == 1) {
    out.w2 = block_metric(bounds, [&](const Tensor& some) {
      if (some.size(0) < 2) return std::nan("");
      return std::sqrt(frechet_distance(FeatureStatistics::of(rows.index_select(0, some.to(rows.device()))), law));
    });
  }
  if (has_density(mixture)) out.nll = sample_mean(-mixture_log_likelihood(mixture, x), bounds);
  return out;
}

}  // namespace stride
