#include "framework/noise/noise.h"

#include "framework/error.h"
#include "framework/files/hash.h"
#include "framework/noise/philox.h"

#include <ATen/ATen.h>

#include <string>

namespace stride {
namespace {

Tensor first_draw(const Tensor& keys, NoiseStream stream, uint32_t seed, at::IntArrayRef shape, at::ScalarType dtype) {
  std::vector<int64_t> sizes{keys.size(0)};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  const Tensor zero = at::zeros_like(keys);
  return philox_normals(keys, zero, 0, stream, seed, c10::multiply_integers(shape)).view(sizes).to(dtype);
}

}  // namespace

Tensor NoNoise::normal(const NoiseDraw& /*draw*/, const Tensor& /*like*/) const {
  throw UsageError(
      "a stochastic solver asked for noise, but the run has no noise source; give it PhiloxNoise or a BrownianTree");
}

Tensor PhiloxNoise::normal(const NoiseDraw& draw, const Tensor& like) const {
  const Tensor& keys = draw.keys ? *draw.keys : draw.ids;
  const NoiseStream stream = draw.keys ? NoiseStream::later_step : NoiseStream::step;
  return philox_normals(keys, draw.step, draw.draw, stream, seed_, like[0].numel())
      .view(like.sizes())
      .to(like.scalar_type());
}

Tensor PhiloxNoise::initial(const Tensor& ids, at::IntArrayRef shape, at::ScalarType dtype) const {
  return first_draw(ids, NoiseStream::initial, seed_, shape, dtype);
}

Tensor PhiloxNoise::later_start(const Tensor& keys, at::IntArrayRef shape, at::ScalarType dtype) const {
  return first_draw(keys, NoiseStream::later_start, seed_, shape, dtype);
}

Tensor noise_keys(const Tensor& ids, const std::vector<Tensor>& given) {
  const Tensor own = ids.cpu().contiguous();
  std::vector<Tensor> rows;  // float64 `[B, n]`, contiguous
  for (const Tensor& data : given)
    rows.push_back(data.defined() ? data.to(at::kCPU, at::kDouble).flatten(1).contiguous() : Tensor());
  const Tensor keys = at::empty_like(own);
  for (int64_t row = 0; row < own.size(0); ++row) {
    std::string bytes;
    const auto add = [&](const void* from, std::size_t size) { bytes.append(static_cast<const char*>(from), size); };
    add(own.const_data_ptr<int64_t>() + row, sizeof(int64_t));
    for (const Tensor& data : rows) {
      const int64_t width = data.defined() ? data.size(1) : -1;  // says where the data end, and which are there
      add(&width, sizeof width);
      if (width > 0) add(data.const_data_ptr<double>() + row * width, static_cast<std::size_t>(width) * sizeof(double));
    }
    keys.mutable_data_ptr<int64_t>()[row] = static_cast<int64_t>(xxh3_64(bytes));
  }
  return keys.to(ids.device());
}

}  // namespace stride
