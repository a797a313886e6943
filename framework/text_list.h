// Lists as people write them: items between commas.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace stride {

/// `text` without the blanks at both ends.
[[nodiscard]] std::string trimmed(std::string_view text);

/// The items of a list written with commas, without the blanks around them: "14.6, 6.3, 0" has three. An item may be
/// empty, and the empty text is one empty item: whoever reads the items refuses what they cannot be.
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);

/// The items as numbers. Throws UsageError that names `what` and the item.
[[nodiscard]] std::vector<double> parse_numbers(const std::string& text, const std::string& what);
[[nodiscard]] std::vector<int64_t> parse_integers(const std::string& text, const std::string& what);

}  // namespace stride
