#include "datasets/metrics/frechet.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <limits>
#include <utility>

#include <fmt/format.h>

namespace stride {
namespace {

void require_same_features(const FeatureStatistics& a, const FeatureStatistics& b) {
  if (a.mean.numel() == b.mean.numel()) return;
  throw UsageError(
      fmt::format("feature statistics of {} and {} features cannot be compared; use one feature network for "
                  "both sets",
                  a.mean.numel(), b.mean.numel()));
}

// L [F, r] with L Lᵀ = covariance, r its numerical rank.
Tensor factor(const Tensor& covariance) {
  const auto [values, vectors] = at::linalg_eigh((covariance + covariance.t()) / 2);
  const double largest = values.index({-1}).item<double>();
  const double cut =
      std::max(largest, 0.0) * std::numeric_limits<double>::epsilon() * static_cast<double>(values.numel());
  const Tensor kept = at::nonzero(values > cut).squeeze(1);
  return vectors.index_select(1, kept) * values.index_select(0, kept).sqrt();
}

bool finite(const FeatureStatistics& s) {
  return at::isfinite(s.mean).all().item<bool>() && at::isfinite(s.covariance).all().item<bool>();
}

}  // namespace

FeatureStatistics FeatureStatistics::of(const Tensor& features) {
  if (features.dim() != 2 || features.size(0) < 2 || features.size(1) < 1 || !features.is_floating_point()) {
    throw UsageError("feature statistics need a floating-point table of at least two samples by at least one feature");
  }
  const Tensor rows = features.detach().to(at::kCPU, at::kDouble);
  const Tensor mean = rows.mean(0);
  const Tensor centred = rows - mean;
  return {mean, at::mm(centred.t(), centred) / static_cast<double>(rows.size(0) - 1), rows.size(0)};
}

FeatureStatistics FeatureStatistics::merge(const FeatureStatistics& a, const FeatureStatistics& b) {
  require_same_features(a, b);
  const auto na = static_cast<double>(a.n);
  const auto nb = static_cast<double>(b.n);
  const Tensor delta = b.mean - a.mean;
  const Tensor scatter =
      a.covariance * (na - 1) + b.covariance * (nb - 1) + at::outer(delta, delta) * (na * nb / (na + nb));
  return {a.mean + delta * (nb / (na + nb)), scatter / (na + nb - 1), a.n + b.n};
}

FrechetReference::FrechetReference(FeatureStatistics reference) : reference_(std::move(reference)) {
  if (finite(reference_)) root_ = factor(reference_.covariance);
}

double FrechetReference::distance(const FeatureStatistics& statistics) const {
  require_same_features(statistics, reference_);
  if (!root_.defined() || !finite(statistics)) return std::numeric_limits<double>::quiet_NaN();
  const Tensor left = factor(statistics.covariance);
  double cross = 0.0;
  if (left.size(1) > 0 && root_.size(1) > 0) cross = at::linalg_svdvals(at::mm(left.t(), root_)).sum().item<double>();
  const double means = (statistics.mean - reference_.mean).square().sum().item<double>();
  const double traces = statistics.covariance.trace().item<double>() + reference_.covariance.trace().item<double>();
  return std::max(0.0, means + traces - 2.0 * cross);
}

double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b) {
  require_same_features(a, b);
  return FrechetReference(b).distance(a);
}

}  // namespace stride
