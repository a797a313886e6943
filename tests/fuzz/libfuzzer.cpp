// The entry that libFuzzer calls, for the target named at compile time (STRIDE_FUZZ_TARGET). Linked into programs of
// its own only: tests/fuzz/CMakeLists.txt.
#include "framework/error.h"
#include "tests/fuzz/targets.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const auto& all = stride::fuzz::targets();
  static const stride::fuzz::Target kTarget = *std::find_if(
      all.begin(), all.end(), [](const stride::fuzz::Target& target) { return target.name == STRIDE_FUZZ_TARGET; });
  try {
    kTarget.read({reinterpret_cast<const char*>(data), size});
  } catch (const stride::Error&) {
  }
  return 0;
}
