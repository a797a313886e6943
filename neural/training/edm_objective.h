// What a denoiser is trained to make small, and the random numbers that it takes.
#pragma once

#include "neural/networks/unet.h"

namespace stride {

/// The random numbers of one step.
struct EdmDraws {
  Tensor noise;      ///< float32, unit normals like the images
  Tensor log_sigma;  ///< float64 `[B]`: ln σ
  Tensor labels;     ///< int64 `[B]`, negative where the class is hidden; undefined without classes
  PassOptions pass;  ///< dropout, and what is computed again
};

/// λ(σ)‖D(y + σn; σ) − y‖² of each image, λ = (σ² + σ_d²)/(σ σ_d)² (Karras et al. 2022, arXiv:2206.00364, eq. 108 and
/// table 1): float32, like `images` `[B, C, H, W]`. The network computes in `dtype`, the rest in float32.
[[nodiscard]] Tensor edm_residual(const UNetConfig& config, const Weights& weights, const Tensor& images,
                                  const EdmDraws& draws, at::ScalarType dtype);
/// Its mean, a scalar.
[[nodiscard]] Tensor edm_loss(const UNetConfig& config, const Weights& weights, const Tensor& images,
                              const EdmDraws& draws, at::ScalarType dtype);

}  // namespace stride
