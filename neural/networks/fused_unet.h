// The UNet for sampling on Hopper: a kernel for every convolution, and nothing between them.
#pragma once

#include "neural/networks/unet_config.h"

#include <memory>

namespace stride {

/// unet_forward without gradients in 16 bits, or in float32 where convolutions may round to TF32
/// (at::Context::allowTF32CuDNN), for compute capability 9.0: each convolution normalises and activates
/// what it reads, and leaves the sums of the next normalisation (neural/networks/fused_conv.h). Activations are rounded
/// where unet_forward rounds them but for the normalised ones' statistics, which are of the rounded values in float32.
/// Which tile a layer runs on depends on the batch, and so do the last bits.
class FusedUNet final {
 public:
  /// None: this network, device or dtype is not one that it runs on. `weights` as UNet takes them.
  [[nodiscard]] static std::unique_ptr<FusedUNet> of(const UNetConfig& config, const Weights& weights);
  ~FusedUNet();

  /// Whether this can be run: every level must be made of blocks of 8 × 8 pixels, and float32 may be TF32 now.
  [[nodiscard]] bool takes(const Tensor& input) const;
  /// As unet_forward; input in the weights' dtype, on their device.
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const Tensor& labels) const;

  FusedUNet(const FusedUNet&) = delete;
  FusedUNet& operator=(const FusedUNet&) = delete;

 private:
  struct Impl;
  explicit FusedUNet(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
