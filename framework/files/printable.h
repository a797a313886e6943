// Text from files, on its way to a person.
#pragma once

#include <string>
#include <string_view>

namespace stride {

enum class Lines { kept, escaped };

/// `text` with nothing in it that a terminal acts upon: control characters (also those of Unicode: C1, directions of
/// writing, line separators) and bytes that are no UTF-8 appear as \xNN or \uNNNN. Tabs stay; line ends stay
/// where `lines` says so. Names from files are shown with Lines::escaped, so that none of them forges a line.
[[nodiscard]] std::string printable(std::string_view text, Lines lines);

}  // namespace stride
