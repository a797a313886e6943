// What this program was built from and runs with.
#pragma once

#include <string>

namespace stride {

[[nodiscard]] std::string stride_version();   ///< "0.1.0"
[[nodiscard]] std::string source_revision();  ///< git revision at configure time, with "-dirty"; empty: none
[[nodiscard]] std::string torch_version();
[[nodiscard]] std::string compiler_version();
/// CUDA of the build, e.g. "13.0".
[[nodiscard]] std::string cuda_version();

}  // namespace stride
