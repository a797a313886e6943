#include "framework/tensor.h"

#include <ATen/ATen.h>

namespace stride {

Tensor per_sample(const Tensor& value, const Tensor& like) {
  std::vector<int64_t> shape(static_cast<std::size_t>(like.dim()), 1);
  shape[0] = value.size(0);
  return value.to(like.scalar_type()).view(shape);
}

Tensor all_finite(const Tensor& x) { return at::isfinite(x).flatten(1).all(1); }

}  // namespace stride
