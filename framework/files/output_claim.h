// One writer of an output, from before its work to the end.
#pragma once

#include "framework/files/lock.h"

#include <string>
#include <vector>

namespace stride {

/// Keeps others from writing `path`, a file or a folder, while it lives: `.NAME.lock` beside it, which goes away with
/// it. Makes the folders that `path` lies in. Throws LockedError where somebody writes it, or holds the folder that it
/// lies in (`.lock` there); as LockFile otherwise.
[[nodiscard]] LockFile claim_output(const std::string& path);

/// Whether a folder holds nothing but locks, temporaries of write_file_atomic and, where `.lock` is there,
/// `beginnings`: the names that its owner writes first, in their order. What an owner left that never got further.
[[nodiscard]] bool is_unbegun(const std::string& folder, const std::vector<std::string>& beginnings);

}  // namespace stride
