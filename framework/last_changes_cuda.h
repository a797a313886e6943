// The CUDA side of unsolved.
#pragma once

#include "framework/last_changes.h"

namespace stride {

/// float32 or float64, all of one dtype and shape.
[[nodiscard]] bool unsolved_cuda_takes(const LastChanges& changes, const Tensor& x);
[[nodiscard]] Tensor unsolved_cuda(const LastChanges& changes, const Tensor& x, double no_matter);

}  // namespace stride
