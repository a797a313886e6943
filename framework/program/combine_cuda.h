// The CUDA side of combine.
#pragma once

#include "framework/program/combine.h"

namespace stride {

/// Whether the kernel has these types and layouts, and no more terms than it takes.
[[nodiscard]] bool combine_cuda_takes(const std::vector<Tensor>& values, CombineTypes types);
[[nodiscard]] Combined combine_cuda(const std::vector<Tensor>& values, const std::vector<double>& weights,
                                    std::optional<double> scale, CombineTypes types);

}  // namespace stride
