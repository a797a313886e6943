#include "framework/text_list.h"

#include "framework/spec.h"

namespace stride {

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> items;
  for (bool more = true; more;) {
    const auto comma = text.find(',');
    items.push_back(trimmed(text.substr(0, comma)));
    more = comma != std::string_view::npos;
    if (more) text.remove_prefix(comma + 1);
  }
  return items;
}

std::vector<double> parse_numbers(const std::string& text, const std::string& what) {
  std::vector<double> numbers;
  for (const std::string& item : split_list(text)) numbers.push_back(parse_number(item, what));
  return numbers;
}

std::vector<int64_t> parse_integers(const std::string& text, const std::string& what) {
  std::vector<int64_t> numbers;
  for (const std::string& item : split_list(text)) numbers.push_back(parse_integer(item, what));
  return numbers;
}

}  // namespace stride
