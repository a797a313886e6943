#include "pipeline/file_noise.h"

#include <ATen/ATen.h>
#include <limits>
#include <tuple>

namespace stride {

FileNoise::FileNoise(const Tensor& eps, const std::vector<int64_t>& ids, at::Device device) : eps_(eps.to(device)) {
  std::tie(sorted_ids_, positions_) = at::tensor(ids, at::TensorOptions().dtype(at::kLong)).to(device).sort();
}

Tensor FileNoise::normal(const NoiseDraw& draw, const Tensor& like) const {
  if (draws() == 0) return at::full_like(like, std::numeric_limits<double>::quiet_NaN());
  const Tensor column = positions_.index_select(0, at::searchsorted(sorted_ids_, draw.ids));
  const Tensor row = draw.drawn.clamp_max(draws() - 1);
  const Tensor flat = (row * eps_.size(1) + column);
  const Tensor values = eps_.flatten(0, 1).index_select(0, flat).to(like.scalar_type());
  const Tensor missing = per_sample(draw.drawn >= draws(), like).to(at::kBool);
  return values.masked_fill(missing, std::numeric_limits<double>::quiet_NaN());
}

}  // namespace stride
