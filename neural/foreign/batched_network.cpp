#include "neural/foreign/batched_network.h"

#include "framework/error.h"
#include "neural/foreign/batch_sizes.h"

#include <utility>

namespace stride {

BatchedNetwork::BatchedNetwork(std::map<int64_t, std::shared_ptr<const Network>> networks)
    : networks_(std::move(networks)) {
  if (networks_.empty() || networks_.begin()->first < 1)
    throw UsageError("a network of fixed batch sizes needs at least one size, and none below 1");
  for (const auto& [size, network] : networks_) sizes_.push_back(size);
}

Tensor BatchedNetwork::forward(const Tensor& input, const Tensor& time, const BatchState& condition) const {
  std::vector<Tensor> inputs = {input, time};
  inputs.insert(inputs.end(), condition.slots().begin(), condition.slots().end());
  return in_batch_sizes(inputs, sizes_, [&](int64_t size, const std::vector<Tensor>& rows) {
    return networks_.at(size)->forward(rows[0], rows[1], BatchState({rows.begin() + 2, rows.end()}));
  });
}

}  // namespace stride
