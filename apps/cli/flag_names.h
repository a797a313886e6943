// The library's messages name settings by their fields; the command line knows them as options.
#pragma once

#include <set>
#include <string>

namespace stride {

/// "`sigma_min` must be positive" as "--sigma-min must be positive", for each field in backquotes that is one of
/// `options`; other words in backquotes stay as they are.
[[nodiscard]] std::string with_flags(const std::string& message, const std::set<std::string>& options);

}  // namespace stride
