#include "adaptive/plan/ceres_version.h"

#include <ceres/version.h>

namespace stride {

std::string ceres_version() { return CERES_VERSION_STRING; }

}  // namespace stride
