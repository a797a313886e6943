// Whether memory ran out in a call that does not say so.
#pragma once

#include "framework/tensor.h"

#include <cstdint>

namespace stride {

/// Looks at a GPU's allocators from its making on. A compiled package passes on none of what its calls of them threw:
/// it failed, and that is all. On the CPU nothing keeps count, and nothing is seen.
class MemoryWatch final {
 public:
  explicit MemoryWatch(const at::Device& device);
  /// Whether an allocation has failed since, on this device.
  [[nodiscard]] bool ran_out() const;

 private:
  [[nodiscard]] int64_t failures() const;

  at::Device device_;
  int64_t before_;
};

}  // namespace stride
