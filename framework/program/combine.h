// Sums of tensors with weights: what a step of a linear method is.
#pragma once

#include "framework/tensor.h"

#include <optional>
#include <vector>

namespace stride {

struct Combined {
  Tensor sum;     ///< Σ weight · value
  Tensor scaled;  ///< scale · sum; undefined where no scale is given
};

struct CombineTypes {
  at::ScalarType sum, scaled;
};

/// Sums are made in float64 and rounded once, to `types.sum`; `scaled` is `scale` times that rounded sum, in float32
/// (or float64, where the sum is), rounded to `types.scaled`. Values have one shape; there is at least one. One kernel
/// on CUDA, to the same bits as the plain version.
[[nodiscard]] Combined combine(const std::vector<Tensor>& values, const std::vector<double>& weights,
                               std::optional<double> scale, CombineTypes types);
/// The plain version.
[[nodiscard]] Combined combine_plain(const std::vector<Tensor>& values, const std::vector<double>& weights,
                                     std::optional<double> scale, CombineTypes types);

}  // namespace stride
