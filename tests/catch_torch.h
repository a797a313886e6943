// The one way to Catch2 in this project. LibTorch defines a macro CHECK that silently replaces Catch2's,
// so torch comes first, its CHECK goes, and Catch2 follows.
#pragma once

#include <torch/types.h>

#undef CHECK

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
namespace stride {
/// A matcher for messages that works with both versions of Catch2.
inline auto contains(const std::string& part) { return Catch::Matchers::ContainsSubstring(part); }
}  // namespace stride
#else
#include <catch2/catch.hpp>
namespace stride {
inline auto contains(const std::string& part) { return Catch::Contains(part); }
}  // namespace stride
#endif
