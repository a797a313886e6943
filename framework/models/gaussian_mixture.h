// The exact denoiser of an isotropic Gaussian mixture: the oracle of the whole test suite.
#pragma once

#include "framework/denoiser.h"

namespace stride {

struct GaussianMixtureOptions {
  std::vector<double> weights;             ///< K, positive; normalised
  std::vector<std::vector<double>> means;  ///< K × D, rows flattened in the sample's shape
  std::vector<double> std;                 ///< K, non-negative
  std::vector<int64_t> classes;            ///< K labels, or empty: unconditional
  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason(const std::vector<int64_t>& shape) const;
};

/// D(x; σ) = Σ_k γ_k(x) (μ_k + s_k²/(s_k² + σ²)·(x − μ_k)), γ the posterior of the components of
/// p ∗ N(0, σ²). Computed in float64 whatever the dtype of x, elementwise per sample: a row's bits do not
/// depend on its neighbours. With `classes` the one condition is a label; the label −1 means none.
class GaussianMixture final : public Denoiser {
 public:
  /// For runs on `device`. Throws UsageError when the options are invalid.
  GaussianMixture(ModelInfo info, const GaussianMixtureOptions& options, at::Device device = at::kCPU);

  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override;
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override;

 private:
  ModelInfo info_;
  Tensor log_weights_, means_, variances_, classes_;  // [K], [K, D], [K], [K]
};

}  // namespace stride
