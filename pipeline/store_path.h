// Where the trajectory store of a run lies.
#pragma once

#include <string>

namespace stride {

/// `stride record` keeps its store in this folder of its run folder.
inline constexpr const char* kStoreFolder = "store";

/// The store that `path` means: the folder itself, or the one inside a run folder. Throws InputError when neither is
/// one.
[[nodiscard]] std::string find_store(const std::string& path);

/// SHA-256 of the manifests of the store in `folder`, which hold a hash of each of its shards: another store, another
/// hash.
[[nodiscard]] std::string store_sha256(const std::string& folder);

}  // namespace stride
