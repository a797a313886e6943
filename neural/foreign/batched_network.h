// Networks that accept certain batch sizes only.
#pragma once

#include "framework/models/network_denoiser.h"

#include <map>
#include <memory>
#include <vector>

namespace stride {

/// Runs any number of rows on networks of fixed sizes, as in_batch_sizes says.
class BatchedNetwork final : public Network {
 public:
  /// By batch size, at least one. Throws UsageError without any, and on sizes below 1.
  explicit BatchedNetwork(std::map<int64_t, std::shared_ptr<const Network>> networks);

  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override;
  [[nodiscard]] int64_t multiple() const noexcept override { return networks_.begin()->second->multiple(); }

 private:
  std::map<int64_t, std::shared_ptr<const Network>> networks_;
  std::vector<int64_t> sizes_;
};

}  // namespace stride
