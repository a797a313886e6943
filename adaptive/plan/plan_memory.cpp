#include "adaptive/plan/plan_memory.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <fmt/format.h>
#include <algorithm>
#include <memory>

namespace stride {
namespace {

constexpr int64_t kFew = 4, kMany = 20;  // rows

/// What torch hands out while it is installed, at most. The allocators of all devices report to it.
class Watermark final : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void* /*ptr*/, int64_t size, std::size_t /*allocated*/, std::size_t /*reserved*/,
                         c10::Device /*device*/) override {
    now_ += size;
    peak_ = std::max(peak_, now_);
  }
  [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }
  [[nodiscard]] int64_t peak() const noexcept { return peak_; }

 private:
  int64_t now_ = 0, peak_ = 0;
};

int64_t peak_of(const Plan& plan, const PlanInputs& inputs, int64_t rows) {
  const Tensor index = at::zeros({rows}, inputs.start.options().dtype(at::kLong));  // one sample, again and again
  const PlanInputs some{inputs.denoiser, inputs.guidance, inputs.start.index_select(0, index),
                        inputs.condition.select(index), inputs.compare};
  const auto watermark = std::make_shared<Watermark>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, watermark);
  (void)plan_endpoints(plan, some, {});
  return watermark->peak();
}

}  // namespace

int64_t plan_bytes_per_row(const Plan& plan, const PlanInputs& inputs) {
  const at::NoGradGuard no_grad;
  const int64_t more = peak_of(plan, inputs, kMany) - peak_of(plan, inputs, kFew);
  return std::max<int64_t>(1, (more + kMany - kFew - 1) / (kMany - kFew));
}

int64_t plan_rows_within(int64_t bytes, const Plan& plan, const PlanInputs& inputs) {
  const int64_t row = plan_bytes_per_row(plan, inputs);
  if (bytes < 2 * row)
    throw UsageError(fmt::format("plan fit: {} bytes do not hold two rows of a batch; a row takes {}", bytes, row));
  return bytes / row;
}

}  // namespace stride
