// Where the data law is a Gaussian mixture: distances to the law itself, not to samples of it.
#pragma once

#include "datasets/metrics/frechet.h"
#include "datasets/metrics/metrics.h"
#include "framework/models/gaussian_mixture.h"

namespace stride {

/// The components of one class label (all of them without classes, or for a negative label), weights normalised anew.
/// Throws UsageError where no component has the label.
[[nodiscard]] GaussianMixtureOptions mixture_of_class(const GaussianMixtureOptions& mixture, int64_t label);

/// The law's exact mean μ = Σ w_k μ_k and covariance Σ w_k (s_k² I + (μ_k − μ)(μ_k − μ)ᵀ); n is 0. At D dimensions the
/// covariance has D² numbers.
[[nodiscard]] FeatureStatistics mixture_moments(const GaussianMixtureOptions& mixture);

/// log p(x) of each sample: float64 `[N]` on the device of `x` `[N, …]`, by log-sum-exp. Throws UsageError where a
/// component has std 0 (there is no density) or the sample another number of values than the means.
[[nodiscard]] Tensor mixture_log_likelihood(const GaussianMixtureOptions& mixture, const Tensor& x);

/// Samples `[N, …]` against the law:
///   frechet  squared Fréchet distance of the samples' mean and covariance (divisor n − 1) to the exact ones. Its bias
///            comes from the samples' n alone.
///   w2       its root, for one component only, else empty: the exact 2-Wasserstein distance between the law and the
///            Gaussian with the samples' moments (Dowson & Landau 1982). It is the sampler's own distance
///            wherever the sampler keeps Gaussians Gaussian, as every linear one does on one component.
///   nll      mean of −log p(x), unbiased; the entropy of the law for perfect samples. Empty where a std is 0.
struct MixtureMetric {
  BlockMetric frechet, w2, nll;
};
[[nodiscard]] MixtureMetric mixture_metric(const GaussianMixtureOptions& mixture, const Tensor& x,
                                           const std::vector<int64_t>& bounds);

}  // namespace stride
