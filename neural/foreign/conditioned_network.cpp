#include "neural/foreign/conditioned_network.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <utility>

namespace stride {

ConditionedNetwork::ConditionedNetwork(std::shared_ptr<const Network> network, std::vector<ConditionSpec> conditions,
                                       at::ScalarType dtype, std::string where)
    : network_(std::move(network)), conditions_(std::move(conditions)), dtype_(dtype), where_(std::move(where)) {}

Tensor ConditionedNetwork::forward(const Tensor& input, const Tensor& time, const BatchState& condition) const {
  const std::size_t count = conditions_.size();
  if (condition.size() != count && condition.size() != 2 * count)
    throw UsageError(
        fmt::format("{}: the network takes {} conditions and was given {}", where_, count, condition.size()));
  std::vector<Tensor> slots;
  for (std::size_t i = 0; i < count; ++i)
    slots.push_back(condition[i].is_floating_point() ? condition[i].to(dtype_) : condition[i]);
  return network_->forward(input, time, BatchState(std::move(slots)));
}

BatchState ConditionedNetwork::null_condition(const BatchState& condition) const {
  const std::size_t count = conditions_.size();
  if (count == 0) return Network::null_condition(condition);
  std::vector<Tensor> slots;
  for (std::size_t i = 0; i < count; ++i) {
    const ConditionSpec& spec = conditions_[i];
    if (condition.size() == 2 * count) {
      slots.push_back(condition[count + i]);
    } else if (spec.classes > 0 && spec.null) {
      slots.push_back(at::full_like(condition[i], *spec.null));
    } else if (spec.classes == 0 && (spec.zeros || spec.guidance)) {
      slots.push_back(spec.guidance ? condition[i] : at::zeros_like(condition[i]));
    } else {
      throw UsageError(
          fmt::format("`guidance`: the card of {} does not say what stands for no '{}'; give `negative.{}` beside it",
                      where_, spec.name, spec.name));
    }
  }
  if (condition.size() == 2 * count)  // as many as beside it
    for (std::size_t i = 0; i < count; ++i) slots.push_back(condition[count + i]);
  return BatchState(std::move(slots));
}

}  // namespace stride
