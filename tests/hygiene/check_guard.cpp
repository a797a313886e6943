// Compiles only where CHECK is Catch2's (LibTorch has a macro of that name, which does nothing that a test
// would see). Compiled a second time with torch after Catch2, it must not compile: see CMakeLists.txt.
#include "tests/catch_torch.h"

#ifdef STRIDE_TORCH_LAST
#undef CHECK
#define CHECK(condition) C10_LOG_IF(FATAL, !(condition))  // as c10/util/logging_is_not_google_glog.h has it
#endif

#include <string_view>

#define STRIDE_TEXT_OF(...) #__VA_ARGS__
#define STRIDE_EXPANDED(...) STRIDE_TEXT_OF(__VA_ARGS__)

constexpr std::string_view kCheck = STRIDE_EXPANDED(CHECK(1 == 2));
static_assert(kCheck.find("Catch::") != std::string_view::npos, "CHECK is not Catch2's");
