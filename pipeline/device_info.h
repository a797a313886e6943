// What the machine offers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stride {

struct CudaDevice {
  std::string name;
  int major = 0, minor = 0;  ///< compute capability
  int64_t memory_bytes = 0;
};
/// The CUDA devices that this process may use; none without a GPU or a driver.
[[nodiscard]] std::vector<CudaDevice> cuda_devices();
/// The name of one of them; throws ResourceError when the driver refuses.
[[nodiscard]] std::string device_name(int index);
/// Why there is none, in the driver's words; empty when there is one.
[[nodiscard]] std::string cuda_trouble();
/// Most bytes that this process ever had resident.
[[nodiscard]] int64_t peak_resident_bytes();

}  // namespace stride
