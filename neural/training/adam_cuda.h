// AdamW, the average of the weights and their half-precision copy in one pass over memory.
#pragma once

#include "neural/training/adam.h"

namespace stride::cuda {

/// What adam_step reads and writes, each float32 `[P]`; `half` `[≤ P]`, of any 16-bit or float32 dtype or undefined,
/// gets the first parameters' new values.
struct AdamBuffers {
  Tensor parameters, mean, square, average, half;
};

/// adam_update in place, its step's numbers on the device: `rates` float32 `[4]` is {learning rate, 1 − β₁ᵏ, 1 − β₂ᵏ,
/// what the average keeps}, `norm` float32 `[1]` the gradient's norm, `scale` float32 `[1]` what the loss was
/// multiplied by. Where the norm is not finite nothing changes.
void adam_step(const AdamBuffers& buffers, const Tensor& gradient, const Tensor& rates, const Tensor& norm,
               const Tensor& scale, const AdamOptions& options);

}  // namespace stride::cuda
