#include "framework/out_of_memory.h"

#include <c10/util/Exception.h>

#include <cstring>
#include <new>

namespace stride {

bool is_out_of_memory(const std::exception& error) noexcept {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  const auto* const torch = dynamic_cast<const c10::Error*>(&error);
  if (dynamic_cast<const c10::OutOfMemoryError*>(torch) != nullptr) return true;
  const char* const text = torch != nullptr ? torch->what_without_backtrace() : error.what();
  for (const char* words : {"DefaultCPUAllocator:", "CUDA out of memory", "CUDA error: out of memory"})
    if (std::strstr(text, words) != nullptr) return true;
  return false;
}

}  // namespace stride
