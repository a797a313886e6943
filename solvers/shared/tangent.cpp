#include "solvers/shared/tangent.h"

#include <ATen/ATen.h>

namespace stride {

Tensor shrunk(const Tensor& x, const Tensor& denoised, const Times& keep) {
  return denoised + per_sample(keep, x) * (x - denoised);
}

TangentStages::TangentStages(const Tensor& x, const Tensor& denoised, Times from)
    : x_(x), denoised_(denoised), from_(std::move(from)) {}

Tensor TangentStages::at(const Times& level, const Tensor& off) const {
  const Tensor line = shrunk(x_, denoised_, level / from_);
  return off.defined() ? line + off : line;
}

Tensor TangentStages::bend(const Times& level, const Tensor& off, const Tensor& there) const {
  const Tensor change = denoised_ - there;
  return (off.defined() ? change + off : change) / per_sample(level, x_);
}

Tensor scaled_sum(const Tensor& scale, const std::vector<double>& weights, const std::vector<Tensor>& parts,
                  std::size_t first) {
  Tensor sum;
  for (std::size_t j = first; j < weights.size(); ++j) {
    if (weights[j] == 0.0) continue;
    const Tensor part = weights[j] * parts[j - first];
    sum = sum.defined() ? sum + part : part;
  }
  return sum.defined() ? scale * sum : sum;
}

}  // namespace stride
