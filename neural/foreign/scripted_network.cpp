#include "neural/foreign/scripted_network.h"

#include "neural/foreign/foreign_call.h"

namespace stride {

ScriptedNetwork::ScriptedNetwork(const std::string& bytes, const std::string& where, const at::Device& device,
                                 std::optional<at::ScalarType> dtype)
    : where_(where), script_(bytes, where, device, dtype) {}

Tensor ScriptedNetwork::forward(const Tensor& input, const Tensor& time, const BatchState& condition) const {
  std::vector<Tensor> arguments = {input, time};
  arguments.insert(arguments.end(), condition.slots().begin(), condition.slots().end());
  return checked_answer(script_(arguments), input, where_);
}

}  // namespace stride
