// Independent pieces of work on a few threads.
#pragma once

#include <cstddef>
#include <functional>

namespace stride {

/// As many threads as the machine has cores, at most eight: more do not make a disk faster.
[[nodiscard]] int io_threads() noexcept;

/// Calls work(0) … work(count − 1), each once, on up to `threads` threads. After an exception no new piece is started;
/// that of the smallest index is thrown here.
void for_each_index(std::size_t count, int threads, const std::function<void(std::size_t)>& work);

}  // namespace stride
