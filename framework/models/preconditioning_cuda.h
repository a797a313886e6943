// The CUDA side of preconditioning.h.
#pragma once

#include "framework/models/preconditioning.h"

namespace stride {

/// x float32 or float64 and `narrow` any floating type, both laid out row by row, no gradients wanted.
[[nodiscard]] bool preconditioning_cuda_takes(const Tensor& x, at::ScalarType narrow);
[[nodiscard]] Tensor network_input_cuda(const Tensor& x, const Times& scale, at::ScalarType type);
[[nodiscard]] Tensor denoised_from_cuda(const Tensor& x, const Tensor& output, const Scalings& scale);
/// `[3, B]`: skip, out, in.
[[nodiscard]] Tensor scalings_cuda(ScalingKind kind, double sigma_data, const Times& sigma);

}  // namespace stride
