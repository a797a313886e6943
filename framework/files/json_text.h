// The one way to read JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace stride {

/// JSON text as a value. Throws InputError, naming `where` and the line, on text that is not JSON, on a number that no
/// double holds (1e999) and on nesting beyond 64 levels.
[[nodiscard]] nlohmann::json parse_json_text(std::string_view text, const std::string& where);

/// The same, with keys in the order of the text.
[[nodiscard]] nlohmann::ordered_json parse_ordered_json_text(std::string_view text, const std::string& where);

}  // namespace stride
