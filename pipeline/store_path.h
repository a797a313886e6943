// Where the trajectory store of a run lies.
#pragma once

#include <string>

namespace stride {

/// `stride record` keeps its store in this folder of its run folder.
inline constexpr const char* kStoreFolder = "store";

/// The store that `path` means: the folder itself, or the one inside a run folder. Throws InputError when neither is
/// one.
[[nodiscard]] std::string find_store(const std::string& path);

}  // namespace stride
