// Bytes of CPU tensors alive, as torch's allocator reports them.
#pragma once

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cstdint>
#include <memory>

namespace stride {

/// The most bytes that this thread's tensors had at once since it began, above what was there before: allocations and
/// releases of this thread and of backward passes that it starts.
class LiveBytes final {
 public:
  LiveBytes() : report_(std::make_shared<Report>()), guard_(c10::DebugInfoKind::PROFILER_STATE, report_) {}
  [[nodiscard]] int64_t peak() const noexcept { return report_->most; }

 private:
  struct Report final : c10::MemoryReportingInfoBase {
    void reportMemoryUsage(void* /*at*/, int64_t size, std::size_t /*allocated*/, std::size_t /*reserved*/,
                           c10::Device device) override {
      if (!device.is_cpu()) return;
      now += size;
      most = std::max(most, now);
    }
    [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }

    int64_t now = 0, most = 0;
  };

  std::shared_ptr<Report> report_;
  c10::DebugInfoGuard guard_;
};

}  // namespace stride
