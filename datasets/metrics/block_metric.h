// A metric of a set, with its interval over blocks of seeds.
#pragma once

#include "datasets/metrics/metrics.h"

#include <functional>

namespace stride {

/// `value(rows)`, `rows` int64 indices, of all rows, of each block, and (for the interval) of all rows but each
/// block's. `bounds` as of block_bounds. Without `each_block` the blocks' own values are left out.
[[nodiscard]] BlockMetric block_metric(const std::vector<int64_t>& bounds,
                                       const std::function<double(const Tensor& rows)>& value, bool each_block = true);

}  // namespace stride
