// NumPy's .npz: a zip archive of .npy files, stored without compression.
// Formats: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html (version 1.0) and PKWARE APPNOTE 6.3.
#pragma once

#include "framework/tensor.h"

#include <string>
#include <utility>
#include <vector>

namespace stride {

/// The bytes of one .npy file: little-endian, C order. uint8, int32, int64, float32, float64; UsageError for others.
[[nodiscard]] std::string npy_bytes(const Tensor& values);

/// The bytes of an archive that np.load reads. Throws UsageError beyond 4 GiB, which plain zip cannot hold.
[[nodiscard]] std::string npz_bytes(const std::vector<std::pair<std::string, Tensor>>& arrays);

}  // namespace stride
