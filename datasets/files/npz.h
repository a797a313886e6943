// NumPy's .npz: a zip archive of .npy files, stored without compression.
// Formats: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html (version 1.0) and PKWARE APPNOTE 6.3.
#pragma once

#include "framework/tensor.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stride {

/// The bytes of one .npy file: little-endian, C order. uint8, int32, int64, float32, float64; UsageError for others.
[[nodiscard]] std::string npy_bytes(const Tensor& values);

using NpzSink = std::function<void(std::string_view)>;

/// An array whose values need not be in memory together.
struct NpzArray {
  std::string name;
  at::ScalarType type;
  std::vector<int64_t> shape;
  std::function<void(const NpzSink& take)> values;  ///< in C order, piece by piece; asked for twice
};

/// Gives `take` an archive, front to back. Throws UsageError where it does not fit.
void write_npz(const std::vector<NpzArray>& arrays, const NpzSink& take);
/// Whether so many bytes fit: plain zip holds 4 GiB.
[[nodiscard]] bool fits_npz(uint64_t bytes);

/// The bytes of an archive that np.load reads. Throws UsageError beyond 4 GiB, which plain zip cannot hold.
[[nodiscard]] std::string npz_bytes(const std::vector<std::pair<std::string, Tensor>>& arrays);

}  // namespace stride
