// The tensor types that every layer speaks.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace stride {

using at::Tensor;

/// Noise levels, one per sample: float64 `[B]` on the device of the state (design §2.2).
using Times = at::Tensor;

/// Reshapes a per-sample value `[B]` to `[B, 1, …]` so that it broadcasts over `like` `[B, …]`, in the
/// dtype of `like`: the one place where time meets data.
[[nodiscard]] Tensor per_sample(const Tensor& value, const Tensor& like);

/// True for each sample of `x` `[B, …]` whose entries are all finite: bool `[B]`.
[[nodiscard]] Tensor all_finite(const Tensor& x);

}  // namespace stride
