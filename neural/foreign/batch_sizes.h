// Any number of rows on networks that accept certain batch sizes only.
#pragma once

#include "framework/tensor.h"

#include <functional>
#include <vector>

namespace stride {

/// `pass(size, rows)` of the rows of `inputs`, each `[N, …]`, joined: as many rows as the largest of `sizes` takes at a
/// time, then the smallest size that holds the rest, padded with its last row. `pass` returns `[size, …]`. Sizes ascend
/// and are at least 1; N is at least 1.
[[nodiscard]] Tensor in_batch_sizes(const std::vector<Tensor>& inputs, const std::vector<int64_t>& sizes,
                                    const std::function<Tensor(int64_t size, const std::vector<Tensor>& rows)>& pass);

}  // namespace stride
