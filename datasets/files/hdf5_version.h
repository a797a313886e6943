// Which HDF5 library is loaded.
#pragma once

#include <string>

namespace stride {

/// e.g. "1.10.8".
[[nodiscard]] std::string hdf5_version();

}  // namespace stride
