// How samples ended, in words.
#pragma once

#include "framework/tensor.h"

#include <string>

namespace stride {

/// For an int8 tensor of Status: "3 reached the largest number of steps (status 1): …", one part for each way of not
/// ending well that occurs, with what to do about it. Empty where all samples ended well.
[[nodiscard]] std::string status_text(const Tensor& status);

}  // namespace stride
