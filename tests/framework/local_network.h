// Networks that see no further than some pixels: what tiles must not change.
#pragma once

#include "framework/models/network_denoiser.h"

#include <ATen/ATen.h>

namespace stride::test {

/// Made of 3×3 convolutions, without normalisation or attention. Knows its noise level and, where a condition is given,
/// its label (negative: none). Weights are no random numbers.
class LocalNetwork final : public Network {
 public:
  /// `outputs` channels for `channels`; `pooled`: the middle convolution is on half the resolution.
  LocalNetwork(int64_t channels, int64_t outputs, bool pooled = false)
      : first_(kernel(kHidden, channels, 1.0)),
        middle_(kernel(kHidden, kHidden, 2.0)),
        last_(kernel(outputs, kHidden, 3.0)),
        pooled_(pooled) {}

  /// Pixels within which an output depends on the input.
  [[nodiscard]] int64_t radius() const noexcept { return pooled_ ? 5 : 3; }
  [[nodiscard]] int64_t multiple() const noexcept override { return pooled_ ? 2 : 1; }
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override {
    Tensor shift = 0.5 + 0.1 * time;
    if (!condition.empty()) shift = shift + 0.4 * condition[0].to(time.scalar_type());
    Tensor hidden = (at::conv2d(input, first_, {}, 1, 1) + per_sample(shift, input)).tanh();
    if (pooled_) hidden = at::avg_pool2d(hidden, 2);
    hidden = at::silu(at::conv2d(hidden, middle_, {}, 1, 1) + per_sample(shift, input));
    if (pooled_) hidden = hidden.repeat_interleave(2, 2).repeat_interleave(2, 3);
    return at::conv2d(hidden, last_, {}, 1, 1);
  }
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override {
    return BatchState({at::full_like(condition[0], -1)});
  }

 private:
  static constexpr int64_t kHidden = 5;
  static Tensor kernel(int64_t out, int64_t in, double phase) {
    return ((at::arange(out * in * 9, at::kDouble) * 2.3 + phase).sin() * 0.35).view({out, in, 3, 3});
  }

  Tensor first_, middle_, last_;
  bool pooled_;
};

inline ModelInfo image_info(int64_t height, int64_t width, bool classes = false) {
  ModelInfo info;
  info.name = "local";
  info.shape = {2, height, width};
  if (classes) info.conditions = {{"class", 3, {}}};
  return info;
}

/// Of images of two channels, in float64.
inline NetworkDenoiser local_denoiser(const ModelInfo& info, bool pooled = false, int64_t outputs = 2) {
  return {info, std::make_shared<LocalNetwork>(2, outputs, pooled), make_parameterisation("edm", info.sigma_data),
          TimeInput::c_noise};
}

}  // namespace stride::test
