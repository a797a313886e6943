// Data types: their names, as the command line and files have them, and what a run makes of them.
#pragma once

#include "framework/tensor.h"

#include <string>

namespace stride {

/// "float64", "float32", "float16" or "bfloat16" for those; else torch's own name.
[[nodiscard]] std::string dtype_name(at::ScalarType dtype);

/// What the state, the history and the steps of a run "in `dtype`" have: float64 where it is that, else float32. At 16
/// bits only the network is narrow: σ·noise would be no number there, and steps would lose their digits.
[[nodiscard]] at::ScalarType state_dtype(at::ScalarType dtype);

}  // namespace stride
