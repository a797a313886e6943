// Whether an error says that memory ran out.
#pragma once

#include <exception>

namespace stride {

/// True of std::bad_alloc, of LibTorch's OutOfMemoryError, and of an error that holds the words of one: the CPU's
/// allocator has no class of its own, and TorchScript's interpreter keeps of an error only what it says.
[[nodiscard]] bool is_out_of_memory(const std::exception& error) noexcept;

}  // namespace stride
