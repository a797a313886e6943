// NumPy's .npy: one array in a file.
// Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html, versions 1.0 to 3.0.
#pragma once

#include "framework/tensor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stride {

/// What the header of a .npy file says.
struct NpyHeader {
  at::ScalarType type = at::kDouble;
  std::vector<int64_t> shape;
  bool fortran_order = false;
  std::size_t size = 0;        ///< of the header: where the values begin
  std::size_t data_bytes = 0;  ///< of the values
};

/// The longest header that is read: magic, version, length and text. Longer ones are refused.
constexpr std::size_t kLargestNpyHeader = 4096;

/// Parses the head of a file; `bytes` may end anywhere behind it. Little-endian float64, float32, float16, int64,
/// int32, int16, int8, uint8 and bool, in C or Fortran order. Throws InputError, naming `where`, on anything else:
/// other types, text that is not exactly a dictionary with the three keys once each, extents that are negative or too
/// many bytes.
[[nodiscard]] NpyHeader parse_npy_header(std::string_view bytes, const std::string& where);

/// Memory for the values of `header` as they lie in the file, and the array once they are there: in C order. The second
/// throws InputError on a bool that is neither 0 nor 1.
[[nodiscard]] Tensor npy_array(const NpyHeader& header);
[[nodiscard]] Tensor npy_ordered(Tensor values, const NpyHeader& header, const std::string& where);

/// The array, contiguous in C order on the CPU. Throws InputError where the file is not exactly header and values.
[[nodiscard]] Tensor parse_npy(std::string_view bytes, const std::string& where);

}  // namespace stride
