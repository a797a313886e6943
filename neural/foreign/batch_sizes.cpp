#include "neural/foreign/batch_sizes.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace stride {
namespace {

Tensor rows_of(const Tensor& all, int64_t first, int64_t n, int64_t size) {
  const Tensor some = all.narrow(0, first, n);
  if (n == size) return some;
  std::vector<int64_t> shape = some.sizes().vec();
  shape[0] = size - n;
  return at::cat({some, some.narrow(0, n - 1, 1).expand(shape)});
}

}  // namespace

Tensor in_batch_sizes(const std::vector<Tensor>& inputs, const std::vector<int64_t>& sizes,
                      const std::function<Tensor(int64_t, const std::vector<Tensor>&)>& pass) {
  const int64_t rows = inputs.front().size(0);
  std::vector<Tensor> parts;
  for (int64_t first = 0; first < rows;) {
    const int64_t n = std::min(rows - first, sizes.back());
    const int64_t size = *std::lower_bound(sizes.begin(), sizes.end(), n);
    std::vector<Tensor> some;
    some.reserve(inputs.size());
    for (const Tensor& input : inputs) some.push_back(rows_of(input, first, n, size));
    parts.push_back(pass(size, some).narrow(0, 0, n));
    first += n;
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

}  // namespace stride
