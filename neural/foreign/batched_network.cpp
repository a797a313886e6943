#include "neural/foreign/batched_network.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>
#include <vector>

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

BatchedNetwork::BatchedNetwork(std::map<int64_t, std::shared_ptr<const Network>> networks)
    : networks_(std::move(networks)) {
  if (networks_.empty() || networks_.begin()->first < 1)
    throw UsageError("a network of fixed batch sizes needs at least one size, and none below 1");
}

Tensor BatchedNetwork::forward(const Tensor& input, const Tensor& time, const BatchState& condition) const {
  const int64_t rows = input.size(0), largest = networks_.rbegin()->first;
  std::vector<Tensor> parts;
  for (int64_t first = 0; first < rows;) {
    const int64_t n = std::min(rows - first, largest);
    const auto& [size, network] = *networks_.lower_bound(n);
    std::vector<Tensor> slots;
    for (const Tensor& slot : condition.slots()) slots.push_back(rows_of(slot, first, n, size));
    const Tensor answer =
        network->forward(rows_of(input, first, n, size), rows_of(time, first, n, size), BatchState(std::move(slots)));
    parts.push_back(answer.narrow(0, 0, n));
    first += n;
  }
  return parts.size() == 1 ? parts.front() : at::cat(parts);
}

}  // namespace stride
