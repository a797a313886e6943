#include "framework/noise/noise.h"

#include "framework/error.h"
#include "framework/noise/philox.h"

#include <ATen/ATen.h>

namespace stride {

Tensor NoNoise::normal(const NoiseDraw& /*draw*/, const Tensor& /*like*/) const {
  throw UsageError(
      "a stochastic solver asked for noise, but the run has no noise source; give it PhiloxNoise or a BrownianTree");
}

Tensor PhiloxNoise::normal(const NoiseDraw& draw, const Tensor& like) const {
  const Tensor low = at::full_like(draw.ids, draw.draw);
  return philox_normals(draw.ids, draw.step, low, NoiseStream::step, seed_, like[0].numel())
      .view(like.sizes())
      .to(like.scalar_type());
}

Tensor PhiloxNoise::initial(const Tensor& ids, at::IntArrayRef shape, at::ScalarType dtype) const {
  std::vector<int64_t> sizes{ids.size(0)};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  const Tensor zero = at::zeros_like(ids);
  return philox_normals(ids, zero, zero, NoiseStream::initial, seed_, c10::multiply_integers(shape))
      .view(sizes)
      .to(dtype);
}

}  // namespace stride
