// Temporaries whose writers were killed.
#pragma once

#include "framework/files/file_system.h"

#include <string>
#include <vector>

namespace stride {

/// Names where a process number means something: this machine since it was started, and its space of numbers
/// (containers). Eight hexadecimal digits; part of the name of every temporary.
[[nodiscard]] const std::string& machine_name();

/// Removes the temporaries in `folder` whose writers are gone, and returns their names: those of processes of this
/// machine that have ended, and any older than a day. For folders that nobody has a lock of. Never throws: what cannot
/// be removed stays.
std::vector<std::string> remove_orphaned_temporaries(const std::string& folder,
                                                     FileSystem& files = posix_file_system()) noexcept;

}  // namespace stride
