#include "framework/out_of_memory.h"

#include "framework/error.h"
#include "tests/catch_torch.h"

#include <new>
#include <stdexcept>

namespace stride {
namespace {

template <class Fail>
bool seen(const Fail& fail) {
  try {
    fail();
  } catch (const std::exception& error) {
    return is_out_of_memory(error);
  }
  FAIL("nothing was thrown");
  return false;
}

}  // namespace

TEST_CASE("out of memory: known by its class, and by the words of what has none") {
  CHECK(seen([] { throw std::bad_alloc(); }));
  CHECK(seen([] { TORCH_CHECK_WITH(OutOfMemoryError, false, "of any device"); }));
#ifndef __SANITIZE_ADDRESS__  // whose own allocator ends the process
  // What the CPU's allocator throws is a plain c10::Error: asked for in earnest, so that its words stay these.
  CHECK(seen([] { (void)at::empty({int64_t{1} << 58}, at::kChar); }));
#endif
  CHECK(seen([] { throw std::runtime_error("The following operation failed: CUDA out of memory. Tried to…"); }));
  CHECK(seen([] { throw std::runtime_error("CUDA error: out of memory at model_base.h"); }));
  CHECK_FALSE(seen([] { TORCH_CHECK(false, "sizes differ"); }));
  CHECK_FALSE(seen([] { throw std::runtime_error("a.h5: no such name"); }));
  CHECK_FALSE(seen([] { throw ResourceError("the disk is full"); }));
}

}  // namespace stride
