// What can be fuzzed: every parser of what comes from files.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace stride::fuzz {

struct Target {
  std::string name;
  /// Reads `bytes`. What is refused, with an error of Stride's, is fine; anything else is a finding.
  std::function<void(std::string_view bytes)> read;
  /// Small files of that kind to begin with.
  std::function<std::vector<std::string>()> seeds;
};

[[nodiscard]] const std::vector<Target>& targets();

}  // namespace stride::fuzz
