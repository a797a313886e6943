#include "apps/cli/build_info.h"

#include <cuda_runtime_api.h>
#include <fmt/format.h>
#include <torch/version.h>

namespace stride {

std::string stride_version() { return STRIDE_VERSION; }
std::string source_revision() { return STRIDE_REVISION; }
std::string torch_version() { return TORCH_VERSION; }

std::string compiler_version() {
#if defined(__clang__)
  return "clang " __clang_version__;
#else
  return "g++ " __VERSION__;
#endif
}

std::string cuda_version() { return fmt::format("{}.{}", CUDART_VERSION / 1000, CUDART_VERSION % 1000 / 10); }

}  // namespace stride
