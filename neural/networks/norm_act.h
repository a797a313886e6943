// Group normalisation with what follows it, and the end of a residual block: the memory-bound parts of the UNet.
#pragma once

#include "framework/tensor.h"

namespace stride {

/// What surrounds a group normalisation. Tensors may be undefined where they are not there.
struct NormAct {
  int64_t groups = 8;
  double epsilon = 1e-5;
  Tensor gamma, beta;  ///< `[C]`
  Tensor before;       ///< `[C]`, added to x first: the bias of the convolution that made it
  Tensor scale_shift;  ///< `[B, 2C]`: the result of the normalisation times 1 + the first half, plus the second
};

/// silu(norm(x + before)·(1 + scale) + shift), x `[B, C, H, W]` (Wu & He 2018, arXiv:1803.08494, eq. 1–2; the scale and
/// shift of Dhariwal & Nichol 2021, arXiv:2105.05233, §3.1). Gradients flow to x and to every tensor of `act`. On
/// CUDA, where x is channels-last, it is one pass over memory each way, with statistics in float32.
[[nodiscard]] Tensor norm_act(const Tensor& x, const NormAct& act);
/// The same of ATen's operations: the reference, on every device and dtype.
[[nodiscard]] Tensor norm_act_plain(const Tensor& x, const NormAct& act);

/// (a + b + bias)·scale, a and b `[B, C, H, W]`, bias `[C]` or undefined.
[[nodiscard]] Tensor add_scaled(const Tensor& a, const Tensor& b, const Tensor& bias, double scale);
[[nodiscard]] Tensor add_scaled_plain(const Tensor& a, const Tensor& b, const Tensor& bias, double scale);

/// The kernels behind the two know x's device and dtype: CUDA; float32, bfloat16 or float16.
[[nodiscard]] bool has_kernels(const Tensor& x);

}  // namespace stride
