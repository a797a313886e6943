#include "framework/noise/philox.h"

#include "framework/noise/philox_core.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>

namespace stride {
namespace {

constexpr uint32_t kLowBits = 24;

void philox_normals_cpu(const Tensor& key, const Tensor& high, const Tensor& low, uint32_t word, uint32_t seed,
                        const Tensor& out) {
  const int64_t rows = out.size(0);
  const int64_t elements = out.size(1);
  const int64_t* keys = key.const_data_ptr<int64_t>();
  const int64_t* highs = high.const_data_ptr<int64_t>();
  const int64_t* lows = low.defined() ? low.const_data_ptr<int64_t>() : nullptr;
  float* values = out.mutable_data_ptr<float>();
  at::parallel_for(0, rows, std::max<int64_t>(1, 4096 / std::max<int64_t>(elements, 1)),
                   [&](int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) {
                       const uint32_t low_word = (lows != nullptr ? static_cast<uint32_t>(lows[row]) : 0U) | word;
                       for (int64_t e = 0; e < elements; e += 4) {
                         float four[4];
                         philox::normals(keys[row], static_cast<uint32_t>(e / 4), static_cast<uint32_t>(highs[row]),
                                         low_word, seed, four);
                         std::copy_n(four, std::min<int64_t>(4, elements - e), values + row * elements + e);
                       }
                     }
                   });
}

// `low` is undefined where `word` is all of it.
Tensor drawn(const Tensor& key, const Tensor& high, const Tensor& low, uint32_t word, uint32_t seed, int64_t elements) {
  TORCH_INTERNAL_ASSERT(key.scalar_type() == at::kLong && high.scalar_type() == at::kLong);
  Tensor out = at::empty({key.size(0), elements}, key.options().dtype(at::kFloat));
  if (out.numel() == 0) return out;
  const Tensor keys = key.contiguous();
  const Tensor highs = high.contiguous();
  (out.is_cuda() ? philox_normals_cuda : philox_normals_cpu)(keys, highs, low, word, seed, out);
  return out;
}

uint32_t word_of(NoiseStream stream) { return static_cast<uint32_t>(stream) << kLowBits; }

}  // namespace

Tensor philox_normals(const Tensor& key, const Tensor& high, const Tensor& low, NoiseStream stream, uint32_t seed,
                      int64_t elements) {
  TORCH_INTERNAL_ASSERT(low.scalar_type() == at::kLong);
  return drawn(key, high, low.contiguous(), word_of(stream), seed, elements);
}

Tensor philox_normals(const Tensor& key, const Tensor& high, int64_t low, NoiseStream stream, uint32_t seed,
                      int64_t elements) {
  return drawn(key, high, {}, static_cast<uint32_t>(low) | word_of(stream), seed, elements);
}

int64_t philox_below(int64_t key, int64_t bound, NoiseStream stream) {
  TORCH_INTERNAL_ASSERT(bound > 0);
  const auto random = philox::integers(key, 0, 0, word_of(stream), 0);
  const uint64_t bits = (static_cast<uint64_t>(random[1]) << 32) | random[0];
  // The high half of bits · bound, from halves of 32 bits.
  const uint64_t b = static_cast<uint64_t>(bound), low = (bits & 0xffffffffU) * (b & 0xffffffffU);
  const uint64_t cross = (bits >> 32) * (b & 0xffffffffU) + (low >> 32);
  const uint64_t other = (bits & 0xffffffffU) * (b >> 32) + (cross & 0xffffffffU);
  return static_cast<int64_t>((bits >> 32) * (b >> 32) + (cross >> 32) + (other >> 32));
}

}  // namespace stride
