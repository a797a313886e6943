// Names of data types, as the command line and files have them.
#pragma once

#include "framework/tensor.h"

#include <string>

namespace stride {

/// "float64", "float32", "float16" or "bfloat16" for those; else torch's own name.
[[nodiscard]] std::string dtype_name(at::ScalarType dtype);

}  // namespace stride
