// The native denoising network: a small UNet.
#pragma once

#include "framework/models/network_denoiser.h"
#include "neural/networks/unet_config.h"

#include <functional>
#include <memory>

namespace stride {

/// Applied inside each residual block, before its last convolution: dropout while training.
using Regulariser = std::function<Tensor(const Tensor&)>;

/// How a pass is made; none of it changes what the network is.
struct PassOptions {
  Regulariser regulariser = {};
  bool recompute = false;  ///< gradients run each residual block again instead of keeping its activations
};

/// The network as a function: residual blocks with group normalisation, SiLU and a scale-and-shift from the embedding
/// (Dhariwal & Nichol 2021, arXiv:2105.05233, §3), average pooling and nearest-neighbour upsampling, skips scaled by
/// 1/√2 as in Karras et al. 2022 (arXiv:2206.00364).
/// `input` `[B, C, H, W]`, `time` `[B]` (ln σ / 4), `labels` int64 `[B]` where the model has classes (negative: none).
/// Returns `[B, C, H, W]` in the dtype of `input`; the weights are cast where theirs differs. Gradients flow.
/// On CUDA the activations are channels-last and what lies between the convolutions is fused
/// (neural/networks/norm_act.h). Throws UsageError for an input of another shape, and where a regulariser would have to
/// be drawn twice.
[[nodiscard]] Tensor unet_forward(const UNetConfig& config, const Weights& weights, const Tensor& input,
                                  const Tensor& time, const Tensor& labels, const PassOptions& options = {});

/// The activations of the same network's way down, one `[B, C_l, H_l, W_l]` for each residual block.
[[nodiscard]] std::vector<Tensor> unet_encoder(const UNetConfig& config, const Weights& weights, const Tensor& input,
                                               const Tensor& time, const Tensor& labels);

class FusedUNet;

/// The network with its weights, for NetworkDenoiser with parameterisation `edm` and TimeInput::c_noise. In 16 bits
/// and TF32, on a card that has FusedUNet's kernels, what needs no gradient runs on those.
class UNet final : public Network {
 public:
  /// `weights` as check_weights accepts them, on the device and in the dtype that runs use. Throws InputError when
  /// they do not fit the configuration.
  UNet(UNetConfig config, Weights weights);
  ~UNet() override;

  [[nodiscard]] const UNetConfig& config() const noexcept { return config_; }
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override;
  [[nodiscard]] int64_t multiple() const noexcept override { return config_.stride(); }
  /// unet_encoder without a label.
  [[nodiscard]] std::vector<Tensor> encode(const Tensor& input, const Tensor& time) const;
  /// The label −1 in every row.
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override;

 private:
  UNetConfig config_;
  Weights weights_;
  std::unique_ptr<FusedUNet> fused_;  ///< none: this network, device or dtype has none
};

}  // namespace stride
