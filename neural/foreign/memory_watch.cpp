#include "neural/foreign/memory_watch.h"

#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>

namespace stride {

MemoryWatch::MemoryWatch(const at::Device& device) : device_(device), before_(failures()) {}

int64_t MemoryWatch::failures() const {
  if (!device_.is_cuda()) return 0;
  return c10::cuda::CUDACachingAllocator::getDeviceStats(device_.index()).num_ooms;
}

bool MemoryWatch::ran_out() const {
  if (!device_.is_cuda()) return false;
  // What a package allocates by itself, its constants, goes past LibTorch's allocator.
  if (cudaPeekAtLastError() == cudaErrorMemoryAllocation) {
    (void)cudaGetLastError();
    return true;
  }
  return failures() > before_;
}

}  // namespace stride
