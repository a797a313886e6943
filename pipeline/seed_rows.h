// Rows of a file by the seeds that it says they are of.
#pragma once

#include "framework/tensor.h"

#include <string>
#include <vector>

namespace stride {

/// `values` `[N, …]` come from the HDF5 file `path`. Where that holds /seed, int64 `[N]`, with all of `seeds` in it,
/// their rows in the order of `seeds`; else `values` as they are.
[[nodiscard]] Tensor rows_of_seeds(const Tensor& values, const std::string& path, const std::vector<int64_t>& seeds);

}  // namespace stride
