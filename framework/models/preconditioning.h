// What lies between D(x; σ) and a network: its input, and what is made of its word. A kernel each on CUDA.
#pragma once

#include "framework/models/parameterisation.h"

#include <optional>

namespace stride {

/// x `[B, …]` times `scale` float64 `[B]`, in the dtype of x, then cast to `type`.
[[nodiscard]] Tensor network_input(const Tensor& x, const Times& scale, at::ScalarType type);
[[nodiscard]] Tensor network_input_plain(const Tensor& x, const Times& scale, at::ScalarType type);

/// skip·x + out·output in the dtype of x; `output` `[B, …]` may be narrower.
[[nodiscard]] Tensor denoised_from(const Tensor& x, const Tensor& output, const Scalings& scale);
[[nodiscard]] Tensor denoised_from_plain(const Tensor& x, const Tensor& output, const Scalings& scale);

/// The rows of the parameterisations' table, in its order.
enum class ScalingKind { denoised, edm, epsilon, flow, sample, v_prediction };

/// The scalings of a row of the table by one kernel, to the bits of the formulas; none where they are not on CUDA, or
/// gradients are wanted.
[[nodiscard]] std::optional<Scalings> fused_scalings(ScalingKind kind, double sigma_data, const Times& sigma);

}  // namespace stride
