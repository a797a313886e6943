// A network's conditions by their specification: dtypes, and what "none" means.
#pragma once

#include "framework/models/network_denoiser.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// Another network, given its conditions as ModelInfo names them. A condition has a slot for each of them, in order;
/// behind these there may be as many again with what stands for "none" in each row, for guidance.
class ConditionedNetwork final : public Network {
 public:
  /// Floating-point conditions reach the network in `dtype`.
  ConditionedNetwork(std::shared_ptr<const Network> network, std::vector<ConditionSpec> conditions,
                     at::ScalarType dtype, std::string where);

  /// Throws UsageError on another number of conditions.
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override;
  /// The second half of the slots; without them labels become their null, floats zeros, where the specification has
  /// that. Throws UsageError, naming the condition, where it has not.
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override;
  [[nodiscard]] int64_t multiple() const noexcept override { return network_->multiple(); }

 private:
  std::shared_ptr<const Network> network_;
  std::vector<ConditionSpec> conditions_;
  at::ScalarType dtype_;
  std::string where_;
};

}  // namespace stride
