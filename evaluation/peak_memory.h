// The most memory that a piece of work had at once.
#pragma once

#include <c10/core/Device.h>

#include <cstdint>

namespace stride {

/// Starts at construction. On CUDA: bytes that torch's allocator handed out on that device. On the CPU: resident bytes
/// of the whole process, libraries included; where the kernel does not let the mark be reset, since the process
/// started.
class PeakMemory final {
 public:
  explicit PeakMemory(at::Device device);
  [[nodiscard]] int64_t bytes() const;

 private:
  at::Device device_;
};

}  // namespace stride
