#include "neural/training/edm_objective.h"

#include "framework/models/parameterisation.h"

#include <ATen/ATen.h>

namespace stride {

Tensor edm_residual(const UNetConfig& config, const Weights& weights, const Tensor& images, const EdmDraws& draws,
                    at::ScalarType dtype) {
  const Times sigma = draws.log_sigma.exp();
  const Scalings scalings = make_parameterisation("edm", config.sigma_data)->at(sigma);
  const Tensor noisy = images + per_sample(sigma, images) * draws.noise;
  const Tensor input = (per_sample(scalings.in, images) * noisy).to(dtype);
  const Tensor output =
      unet_forward(config, weights, input, draws.log_sigma / 4.0, draws.labels, draws.pass).to(images.scalar_type());
  const Tensor denoised = per_sample(scalings.skip, images) * noisy + per_sample(scalings.out, images) * output;
  const double variance = config.sigma_data * config.sigma_data;
  const Tensor weight = (sigma * sigma + variance) / (sigma * sigma * variance);
  return per_sample(weight, images) * (denoised - images).square();
}

Tensor edm_loss(const UNetConfig& config, const Weights& weights, const Tensor& images, const EdmDraws& draws,
                at::ScalarType dtype) {
  return edm_residual(config, weights, images, draws, dtype).mean();
}

}  // namespace stride
