#include "neural/foreign/packaged_network.h"

#include "neural/foreign/foreign_call.h"

#include <fmt/format.h>

namespace stride {

PackagedNetwork::PackagedNetwork(const std::string& path, const std::string& where, const at::Device& device,
                                 std::size_t conditions, const Constants& constants)
    : where_(where),
      package_(path, where, device, conditions + 2, fmt::format("input, time and {} conditions", conditions),
               constants) {}

Tensor PackagedNetwork::forward(const Tensor& input, const Tensor& time, const BatchState& condition) const {
  std::vector<Tensor> arguments = {input, time};
  arguments.insert(arguments.end(), condition.slots().begin(), condition.slots().end());
  return checked_answer(package_(std::move(arguments)), input, where_);
}

}  // namespace stride
