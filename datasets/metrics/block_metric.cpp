#include "datasets/metrics/block_metric.h"

#include <ATen/ATen.h>

namespace stride {

BlockMetric block_metric(const std::vector<int64_t>& bounds, const std::function<double(const Tensor& rows)>& value,
                         bool each_block) {
  BlockMetric out;
  const auto blocks = bounds.size() - 1;
  const Tensor all = at::arange(bounds.back(), at::kLong);
  std::vector<double> without;
  for (std::size_t i = 0; i < blocks; ++i) {
    if (each_block) out.blocks.push_back(value(all.slice(0, bounds[i], bounds[i + 1])));
    if (blocks > 1)
      without.push_back(value(at::cat({all.slice(0, 0, bounds[i]), all.slice(0, bounds[i + 1], bounds.back())})));
  }
  out.all = jackknife(value(all), without);
  return out;
}

}  // namespace stride
