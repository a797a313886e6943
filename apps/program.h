// The whole program but for main's C++ frame.
#pragma once

#include <string>
#include <vector>

namespace stride {

/// Parses, runs, maps errors to exit codes. `words` is argv without the program's name.
[[nodiscard]] int run_program(const std::vector<std::string>& words);

}  // namespace stride
