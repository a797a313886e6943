#include "adaptive/plan/plan_memory.h"

#include "adaptive/plan/compressed.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <fmt/format.h>
#include <algorithm>
#include <memory>
#include <vector>

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

constexpr auto kDouble = static_cast<int64_t>(sizeof(double));
constexpr int64_t kStepBytes = 512;  // of a state's numbers that are no image: times, counts, weights

/// `rows` rows of one sample, again and again.
PlanInputs repeated(const PlanInputs& inputs, int64_t rows) {
  const Tensor index = at::zeros({rows}, inputs.start.options().dtype(at::kLong));
  return {inputs.denoiser, inputs.guidance, inputs.start.index_select(0, index), inputs.condition.select(index),
          inputs.compare};
}

int64_t bytes_per_sample(const Tensor& t) { return static_cast<int64_t>(t.nbytes()) / t.size(0); }

}  // namespace

int64_t peak_allocation(const std::function<void()>& f) {
  const auto watermark = std::make_shared<Watermark>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, watermark);
  f();
  return watermark->peak();
}

int64_t PlanMemory::bytes(int64_t rows) const {
  const int64_t together = std::min(PlanBatching{.rows = rows, .stop = {}}.samples(), samples);
  const auto slice = [](int64_t all) { return kDouble * std::min(NormalAccumulator::kSliceValues, all); };
  // No plan runs while J is gathered, or distances are taken. A slice of J stands in float64, and once more weighted.
  const int64_t deriving = together * sample + std::max(rows * row, 2 * slice(parameters * together * values));
  const int64_t measuring = rows * row_end + std::max(kDouble * values, slice(rows * values));
  return base + kept + std::max({deriving, rows * row, measuring});
}

int64_t PlanMemory::rows_within(int64_t limit, int64_t most) const {
  constexpr int64_t kFewest = 2;
  if (bytes(kFewest) > limit)
    throw UsageError(
        fmt::format("`fit_memory`: {} bytes do not hold two rows of a batch and what a fit keeps besides; {} do", limit,
                    bytes(kFewest)));
  int64_t low = kFewest, high = std::max(kFewest, most);
  while (low < high) {
    const int64_t middle = low + (high - low + 1) / 2;
    if (bytes(middle) <= limit)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

PlanMemory plan_memory(const PlanParameters& space, const PlanInputs& inputs, int64_t kept_samples) {
  const at::NoGradGuard no_grad;
  const Plan plan = space.plan(std::vector<double>(static_cast<std::size_t>(space.size()), 0.0));
  const auto peak = [&](int64_t rows) {
    return peak_allocation([&] { (void)plan_endpoints(plan, repeated(inputs, rows), {}); });
  };
  const int64_t few = peak(kFew), many = peak(kMany);
  PlanMemory memory;
  memory.row = std::max<int64_t>(1, (many - few + kMany - kFew - 1) / (kMany - kFew));
  memory.base = std::max<int64_t>(0, few - kFew * memory.row);
  memory.samples = inputs.start.size(0);
  memory.parameters = space.size();

  const Tensor one = inputs.compared(inputs.start.narrow(0, 0, 1));
  const int64_t compared = bytes_per_sample(one), image = bytes_per_sample(inputs.start);
  memory.values = one.numel();
  // The plan's own run is let go before the residual is made.
  const int64_t own_run = (plan.nfe() + 1) * (3 * image + kStepBytes);
  const int64_t residual = memory.values * kDouble;
  memory.row_end = compared + image;
  memory.sample = (memory.parameters + 1) * compared + std::max(own_run, residual);
  for (const Tensor& slot : inputs.condition.slots()) memory.sample += bytes_per_sample(slot);
  if (inputs.compare) memory.kept = kept_samples * compared;
  return memory;
}

}  // namespace stride
