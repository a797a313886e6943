// Libraries that crash on damaged files, at arm's length.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace stride {

/// What `work` returns, made in a child process: where it crashes or takes longer than a file of `file_size` bytes
/// may, that is an InputError with the text `damaged` and no crash here. An InputError that `work` throws arrives as
/// it is. `work` must not use torch's threads. Throws ResourceError when no process can be started.
[[nodiscard]] std::string guarded(const std::function<std::string()>& work, std::size_t file_size,
                                  const std::string& damaged);

}  // namespace stride
