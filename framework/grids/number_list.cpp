#include "framework/grids/number_list.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"
#include "framework/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

namespace stride {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 24;

// From # to the end of its line.
void without_comments(std::string& text) {
  for (auto at = text.find('#'); at != std::string::npos; at = text.find('#', at)) {
    const auto end = std::min(text.find('\n', at), text.size());
    text.erase(at, end - at);
  }
}

// {"sigmas": [...]}, what `stride schedule` prints as JSON: the first of the keys that is there.
std::vector<double> listed(const std::string& text, const std::string& path, const std::string& what) {
  const nlohmann::json read = parse_json_text(text, path);
  for (const char* key : {"sigmas", "timesteps", "betas"}) {
    const auto found = read.find(key);
    if (found == read.end()) continue;
    const bool numbers = found->is_array() && !found->empty() &&
                         std::all_of(found->begin(), found->end(), [](const auto& one) { return one.is_number(); });
    if (!numbers) throw InputError(fmt::format("{} file '{}': {} is no list of numbers", what, path, key));
    return found->get<std::vector<double>>();
  }
  throw InputError(fmt::format("{} file '{}' has no key sigmas, timesteps or betas", what, path));
}

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
  without_comments(text);
  if (const auto first = text.find_first_not_of(" \t\r\n"); first != std::string::npos && text[first] == '{')
    return listed(text, path, what);
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
