// Which Ceres the plan fitting was built with.
#pragma once

#include <string>

namespace stride {

/// e.g. "2.1.0".
[[nodiscard]] std::string ceres_version();

}  // namespace stride
