// Flows whose answer is known, and drifts that are smooth: what solvers are measured on.
#pragma once

#include "framework/models/gaussian_mixture.h"

#include <memory>

namespace stride {

/// N(μ, s²) in `dimensions` dimensions: the probability flow is x(σ) = μ + (x₀ − μ)·√((s² + σ²)/(s² + σ₀²)).
struct ExactGaussian {
  ExactGaussian(int64_t dimensions, at::Device device);
  [[nodiscard]] Tensor exact(const Tensor& x, double from, double to) const;

  Tensor mean;
  double std = 0.5;
  std::unique_ptr<GaussianMixture> denoiser;
};

/// Two components in one dimension. The flow is monotone there and carries quantiles along: its answer is known as
/// well.
struct ExactMixture {
  explicit ExactMixture(at::Device device);
  [[nodiscard]] Tensor exact(const Tensor& x, double from, double to) const;

  std::unique_ptr<GaussianMixture> denoiser;
};

/// Three components in `dimensions` dimensions, classes 0, 1, 0: nonlinear, and conditional.
[[nodiscard]] std::unique_ptr<GaussianMixture> mixture_of_three(int64_t dimensions, at::Device device);

/// D = a sin(kx + 1)/(1 + σ²), of no distribution: smooth, bent and tame. On a Gaussian the drift is linear, and
/// methods of strong order 1.5 have order 2 there; between the components of a mixture a few paths that fall to one
/// side or the other make up the whole error.
class WaveDenoiser final : public Denoiser {
 public:
  WaveDenoiser(double amplitude, double frequency);
  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override;

 private:
  double amplitude_, frequency_;
  ModelInfo info_;
};

}  // namespace stride
