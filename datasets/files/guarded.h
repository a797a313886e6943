// Libraries that crash on damaged files, at arm's length.
#pragma once

#include <cstddef>
#include <functional>
#include <mutex>
#include <string>

namespace stride {

/// How long the child may take, and what its failure reads like.
struct GuardOptions {
  std::size_t file_size = 0;      ///< of a large file it may take longer
  std::string damaged = {};       ///< the InputError where it crashes, takes too long or sends too little
  std::mutex* library = nullptr;  ///< held while the process is made: `work` takes it, and other threads may have it
};

/// The child's end: bytes for the parent.
using GuardSend = std::function<void(const void* bytes, std::size_t size)>;
/// The parent's end: fills `bytes` and returns how many came, fewer than `size` at the end only.
using GuardReceive = std::function<std::size_t(void* bytes, std::size_t size)>;

/// Runs `work` in a child process and `take` here on what it sends. A crash of the child or a time longer than such a
/// file may need is an InputError with the text `damaged` and no crash here. An InputError that `work` throws before it
/// sends arrives as it is. `work` must not use torch's threads. Throws ResourceError when no process can be started or
/// memory runs out in it (`work` may be called twice then), Stopped when SIGINT or SIGTERM ended the child, as one to
/// the process group does.
void guarded_stream(const std::function<void(const GuardSend&)>& work,
                    const std::function<void(const GuardReceive&)>& take, const GuardOptions& options);

/// The same for a text: what `work` returns.
[[nodiscard]] std::string guarded(const std::function<std::string()>& work, const GuardOptions& options);

}  // namespace stride
