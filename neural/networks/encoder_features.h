// A denoiser's own encoder as a perceptual distance.
#pragma once

#include "framework/denoiser.h"

#include <functional>
#include <memory>

namespace stride {

/// φ: images x `[n, C, H, W]` in EDM coordinates → `[n, F]`, in the dtype of x. The activations of the UNet's way down
/// at the model's smallest σ, without a label; each block's are brought to unit length over the channels at every place
/// and divided by √(H_l·W_l). So ‖φ(x) − φ(y)‖² is the sum over blocks of the mean over places that LPIPS takes (Zhang
/// et al. 2018, arXiv:1801.03924, eq. 1, with all channel weights 1). Row by row. Throws UsageError where the denoiser
/// is no native UNet.
[[nodiscard]] std::function<Tensor(const Tensor& x)> encoder_features(std::shared_ptr<const Denoiser> denoiser);

}  // namespace stride
