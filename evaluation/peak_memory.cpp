#include "evaluation/peak_memory.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>

#include <cstdio>
#include <memory>

#include <sys/resource.h>

namespace stride {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

c10::DeviceIndex cuda_index(const at::Device& device) {
  return device.has_index() ? device.index() : c10::cuda::current_device();
}

// proc(5): writing 5 to clear_refs sets the peak resident size to the current one.
void reset_resident_peak() {
  const File file(std::fopen("/proc/self/clear_refs", "we"), &std::fclose);
  if (file) std::fputs("5", file.get());
}

int64_t resident_peak() {
  if (const File file(std::fopen("/proc/self/status", "re"), &std::fclose); file) {
    char line[256];
    long long kibi = 0;
    while (std::fgets(line, sizeof line, file.get()) != nullptr) {
      if (std::sscanf(line, "VmHWM: %lld kB", &kibi) == 1) return static_cast<int64_t>(kibi) * 1024;
    }
  }
  rusage usage{};
  return getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<int64_t>(usage.ru_maxrss) * 1024 : 0;
}

}  // namespace

PeakMemory::PeakMemory(at::Device device) : device_(device) {
  if (device_.is_cuda()) {
    c10::cuda::CUDACachingAllocator::resetPeakStats(cuda_index(device_));
  } else {
    reset_resident_peak();
  }
}

int64_t PeakMemory::bytes() const {
  if (!device_.is_cuda()) return resident_peak();
  return c10::cuda::CUDACachingAllocator::getDeviceStats(cuda_index(device_)).allocated_bytes[0].peak;
}

}  // namespace stride
