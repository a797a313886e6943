#include "solvers/checks/exact_flows.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {
namespace {

constexpr double kWeights[] = {0.4, 0.6};
constexpr double kMeans[] = {-1.0, 0.8};
constexpr double kStd[] = {0.5, 0.4};

ModelInfo info_of(const char* name, int64_t dimensions) {
  ModelInfo out;
  out.name = name;
  out.kind = "gaussian_mixture";
  out.shape = {dimensions};
  return out;
}

std::vector<double> ramp(int64_t dimensions, double first, double step) {
  std::vector<double> out;
  for (int64_t d = 0; d < dimensions; ++d) out.push_back(first + step * static_cast<double>(d));
  return out;
}

// Twice the quantile at which x lies, less one.
Tensor rank_of(const Tensor& x, double sigma) {
  Tensor sum = at::zeros_like(x);
  for (int k = 0; k < 2; ++k)
    sum = sum + kWeights[k] * at::erf((x - kMeans[k]) / std::sqrt(2.0 * (kStd[k] * kStd[k] + sigma * sigma)));
  return sum;
}

}  // namespace

ExactGaussian::ExactGaussian(int64_t dimensions, at::Device device)
    : mean(at::tensor(ramp(dimensions, 0.3, -0.4), at::kDouble).to(device)) {
  const GaussianMixtureOptions options{{1.0}, {ramp(dimensions, 0.3, -0.4)}, {std}, {}};
  denoiser = std::make_unique<GaussianMixture>(info_of("a Gaussian", dimensions), options, device);
}

Tensor ExactGaussian::exact(const Tensor& x, double from, double to) const {
  return mean + (x - mean) * std::sqrt((std * std + to * to) / (std * std + from * from));
}

ExactMixture::ExactMixture(at::Device device) {
  const GaussianMixtureOptions options{{kWeights[0], kWeights[1]}, {{kMeans[0]}, {kMeans[1]}}, {kStd[0], kStd[1]}, {}};
  denoiser = std::make_unique<GaussianMixture>(info_of("two components", 1), options, device);
}

Tensor ExactMixture::exact(const Tensor& x, double from, double to) const {
  const Tensor wanted = rank_of(x, from);
  Tensor low = at::full_like(x, -50.0);
  Tensor high = at::full_like(x, 50.0);
  for (int i = 0; i < 100; ++i) {
    const Tensor middle = 0.5 * (low + high);
    const Tensor below = rank_of(middle, to) < wanted;
    low = at::where(below, middle, low);
    high = at::where(below, high, middle);
  }
  return 0.5 * (low + high);
}

std::unique_ptr<GaussianMixture> mixture_of_three(int64_t dimensions, at::Device device) {
  ModelInfo model = info_of("test", dimensions);
  model.conditions = {{"class", 2, {}}};
  GaussianMixtureOptions options{{0.5, 0.3, 0.2},
                                 {ramp(dimensions, -1.0, 0.3), ramp(dimensions, 1.0, -0.2), ramp(dimensions, 0.2, 0.5)},
                                 {0.3, 0.2, 0.4},
                                 {0, 1, 0}};
  return std::make_unique<GaussianMixture>(model, options, device);
}

WaveDenoiser::WaveDenoiser(double amplitude, double frequency)
    : amplitude_(amplitude), frequency_(frequency), info_(info_of("wave", 2)) {
  info_.kind = "test";
}

Evaluation WaveDenoiser::evaluate(const Tensor& x, const Times& sigma, const BatchState& /*condition*/) const {
  return {(frequency_ * x + 1.0).sin() * per_sample(amplitude_ / (1.0 + sigma.square()), x), {}, {}};
}

}  // namespace stride
