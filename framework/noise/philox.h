// Counter-based normals: the core of every noise source.
#pragma once

#include "framework/tensor.h"

namespace stride {

/// What a draw is for: no two of these share a number. The `later` ones are of runs that begin with data in place of
/// noise (RunConstant::noise_keys), and are keyed by that data too.
enum class NoiseStream : uint32_t {
  step = 0,
  initial = 1,
  brownian = 2,
  training = 3,
  later_start = 4,  ///< what is added to given data where the run begins
  later_step = 5,
  later_brownian = 6,
  label = 7  ///< integers, not normals: philox_below
};

/// Float32 normals `[B, elements]`. Row b, element e is a pure function of (key[b], high[b], low[b], stream,
/// seed, e): Philox4x32-10 with key `key[b]` (int64) and counter (e / 4, high[b], low[b] | stream << 24,
/// seed), then Box–Muller in float64 from IEEE operations alone, so that every device gives the same bits.
/// `high` and `low` are int64 `[B]` with values below 2^32 and 2^24.
[[nodiscard]] Tensor philox_normals(const Tensor& key, const Tensor& high, const Tensor& low, NoiseStream stream,
                                    uint32_t seed, int64_t elements);

/// The same with one `low` for all rows.
[[nodiscard]] Tensor philox_normals(const Tensor& key, const Tensor& high, int64_t low, NoiseStream stream,
                                    uint32_t seed, int64_t elements);

/// A whole number from 0 to `bound` − 1, each as likely as the others up to bound / 2^64: a pure function of (key,
/// stream).
[[nodiscard]] int64_t philox_below(int64_t key, int64_t bound, NoiseStream stream);

/// The CUDA side of philox_normals; `out` float32 `[B, elements]`, contiguous, on the device of the rest. `word` is
/// or'd to each `low`; where `low` is undefined it stands alone.
void philox_normals_cuda(const Tensor& key, const Tensor& high, const Tensor& low, uint32_t word, uint32_t seed,
                         const Tensor& out);

}  // namespace stride
