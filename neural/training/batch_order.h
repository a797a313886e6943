// Which items a training step sees.
#pragma once

#include "framework/tensor.h"

namespace stride {

/// Passes over N items without replacement, each in its own order; a function of (seed, step) alone.
class BatchOrder final {
 public:
  /// Throws UsageError unless both numbers are positive.
  BatchOrder(uint64_t seed, int64_t items, int64_t batch);

  /// int64 `[batch]`, on the CPU.
  [[nodiscard]] Tensor indices(int64_t step) const;

 private:
  uint64_t seed_;
  int64_t items_, batch_;
};

}  // namespace stride
