// The CUDA side of norm_act. Every tensor is contiguous where it is 1- or 2-dimensional, channels-last where it is 4.
#pragma once

#include "framework/tensor.h"

namespace stride::cuda {

struct NormShape {
  int64_t groups = 8;
  double epsilon = 1e-5;
};

/// Writes `y` (like x), and float32 `mean` and `rstd` `[B, G]`. `gamma`, `beta`, `before` are float32; `scale_shift` is
/// of x's dtype; the last two may be undefined.
void norm_act_forward(const Tensor& x, const Tensor& before, const Tensor& gamma, const Tensor& beta,
                      const Tensor& scale_shift, const NormShape& shape, const Tensor& y, const Tensor& mean,
                      const Tensor& rstd);

/// Writes `dx` (like x); float32 `dgamma`, `dbeta`, `dbefore` `[C]`; and, where it is defined, `dscale_shift` `[B, 2C]`
/// of x's dtype. `sums` float32 `[3, B, C]` is room to work in. Deterministic.
void norm_act_backward(const Tensor& dy, const Tensor& x, const Tensor& before, const Tensor& gamma, const Tensor& beta,
                       const Tensor& scale_shift, const Tensor& mean, const Tensor& rstd, const NormShape& shape,
                       const Tensor& dx, const Tensor& sums, const Tensor& dgamma, const Tensor& dbeta,
                       const Tensor& dbefore, const Tensor& dscale_shift);

/// y = (a + b + bias)·scale; bias float32 or undefined.
void add_scaled(const Tensor& a, const Tensor& b, const Tensor& bias, double scale, const Tensor& y);
/// dx = dy·scale, and its sums over all but the channels in parts: `partial` float32 `[P, C]`, any P.
void scaled_and_summed(const Tensor& dy, double scale, const Tensor& dx, const Tensor& partial);

}  // namespace stride::cuda
