#include "framework/grids/number_list.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace stride {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 24;

}  // namespace

std::vector<double> read_numbers(const std::string& path, const std::string& what) {
  std::string text;
  try {
    text = read_file(path);
  } catch (const InputError&) {
    throw InputError(fmt::format("{} file '{}' cannot be read", what, path));
  }
  if (text.size() > kLargestFile)
    throw InputError(
        fmt::format("{} file '{}' has more than {} bytes: no list of numbers is that long", what, path, kLargestFile));
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == ',' || c == '[' || c == ']' || c == ';'; }, ' ');
  std::istringstream words(text);
  std::vector<double> numbers;
  for (std::string word; words >> word;) {
    try {
      numbers.push_back(parse_number(word, "a number"));
    } catch (const UsageError& error) {
      throw InputError(fmt::format("{} file '{}', entry {}: {}", what, path, numbers.size() + 1, error.what()));
    }
  }
  if (numbers.empty()) throw InputError(fmt::format("{} file '{}' holds no numbers", what, path));
  return numbers;
}

}  // namespace stride
