// Seeds as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace stride {

/// "0-63,100" as numbers, in order. Throws UsageError on anything else, on a range that runs backwards and
/// on a seed given twice.
[[nodiscard]] std::vector<int64_t> parse_seeds(const std::string& text);
/// The shortest such text for `seeds`.
[[nodiscard]] std::string format_seeds(const std::vector<int64_t>& seeds);

}  // namespace stride
