// How weights lie in memory while they are trained on CUDA.
#pragma once

#include "neural/networks/parameters.h"

namespace stride {

/// Another order of the flat vector: first what matrix products take, in the training's dtype (matrices and filters,
/// the filters with their channels last), then what stays float32 (biases, normalisations).
class DeviceWeights final {
 public:
  explicit DeviceWeights(const Layout& layout);

  /// From the layout's order `[P]` to this one's, and back.
  [[nodiscard]] Tensor packed(const Tensor& flat) const;
  [[nodiscard]] Tensor flat(const Tensor& packed) const;
  /// How many of the first numbers are cast.
  [[nodiscard]] int64_t cast_size() const noexcept { return cast_; }

  /// Views by name, each a leaf that wants a gradient: of `cast` `[cast_size()]` and, for the rest, of `packed` `[P]`.
  [[nodiscard]] Weights leaves(const Tensor& packed, const Tensor& cast) const;
  /// The gradient of each leaf, in the order of in_order(), as one float32 vector `[P]`.
  [[nodiscard]] Tensor gathered(const std::vector<Tensor>& gradients) const;
  [[nodiscard]] std::vector<Tensor> in_order(const Weights& leaves) const;

 private:
  struct Entry {
    TensorSpec spec;
    int64_t flat_at = 0, packed_at = 0;
  };
  std::vector<Entry> entries_;  ///< in the packed order
  int64_t cast_ = 0, size_ = 0;
};

}  // namespace stride
