// The numbers of a network: named tensors that are views of one flat vector.
#pragma once

#include "framework/tensor.h"

#include <map>
#include <string>
#include <vector>

namespace stride {

/// Weights by name. Networks here are functions of (weights, input): they hold no modules.
using Weights = std::map<std::string, Tensor>;

/// How a tensor starts.
enum class Init {
  zero,
  one,
  fan_in,  ///< normal with variance 1 / fan-in (He et al. 2015, arXiv:1502.01852, without the factor 2)
  normal,  ///< unit normal: embedding tables
};

struct TensorSpec {
  std::string name;
  std::vector<int64_t> shape;
  Init init = Init::zero;

  [[nodiscard]] int64_t numel() const noexcept;
};

/// All tensors of a network, in the order of the flat vector.
using Layout = std::vector<TensorSpec>;

/// Number of parameters.
[[nodiscard]] int64_t count(const Layout& layout) noexcept;

/// A fresh flat vector, float32 on the CPU; a pure function of the layout and the seed.
[[nodiscard]] Tensor initial_parameters(const Layout& layout, uint64_t seed);

/// The named views of `flat` `[count(layout)]`; gradients flow through them. Throws UsageError when the size is wrong.
[[nodiscard]] Weights unpack(const Layout& layout, const Tensor& flat);

/// The reverse: one flat vector, in the dtype of the first tensor.
[[nodiscard]] Tensor pack(const Layout& layout, const Weights& weights);

/// Throws InputError, naming the tensor and `where`, unless `weights` has exactly the layout's names and shapes, all
/// floating point and finite.
void check_weights(const Layout& layout, const Weights& weights, const std::string& where);

/// Every tensor in `dtype` on `device`, without gradient.
[[nodiscard]] Weights convert(const Weights& weights, const at::Device& device, at::ScalarType dtype);

}  // namespace stride
