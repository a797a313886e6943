#include "pipeline/device_info.h"

#include "framework/error.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <sys/resource.h>

namespace stride {

std::vector<CudaDevice> cuda_devices() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) return {};
  std::vector<CudaDevice> out;
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp properties{};
    if (cudaGetDeviceProperties(&properties, i) != cudaSuccess) continue;
    out.push_back(
        {properties.name, properties.major, properties.minor, static_cast<int64_t>(properties.totalGlobalMem)});
  }
  return out;
}

std::string device_name(int index) {
  cudaDeviceProp properties{};
  const cudaError_t result = cudaGetDeviceProperties(&properties, index);
  if (result != cudaSuccess) throw ResourceError(fmt::format("cuda:{}: {}", index, cudaGetErrorString(result)));
  return properties.name;
}

std::string cuda_trouble() {
  int count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  if (result != cudaSuccess) return cudaGetErrorString(result);
  return count == 0 ? "no device" : "";
}

int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<int64_t>(usage.ru_maxrss) * 1024;
}

}  // namespace stride
