#include "framework/spec.h"

#include "framework/error.h"
#include "framework/text_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace stride {

Spec Spec::parse(const std::string& text) {
  Spec spec;
  const auto colon = text.find(':');
  spec.name = trimmed(std::string_view(text).substr(0, colon));
  if (spec.name.empty()) throw UsageError(fmt::format("'{}' has no name; write NAME or NAME:key=value,…", text));
  if (colon == std::string::npos) return spec;
  const std::vector<std::string> items = split_list(std::string_view(text).substr(colon + 1));
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string& item = items[i];
    const auto equals = item.find('=');
    if (equals == std::string::npos && i == 0 && !item.empty()) {
      spec.argument = item;
      continue;
    }
    const std::string key = trimmed(std::string_view(item).substr(0, equals));
    if (equals == std::string::npos || key.empty())
      throw UsageError(fmt::format("'{}': '{}' is not key=value", text, item));
    if (!spec.options.emplace(key, trimmed(std::string_view(item).substr(equals + 1))).second)
      throw UsageError(fmt::format("'{}': '{}' is given twice", text, key));
  }
  return spec;
}

std::string Spec::text() const {
  std::string out = name;
  char separator = ':';
  if (!argument.empty()) {
    out += separator + argument;
    separator = ',';
  }
  for (const auto& [key, value] : options) {
    out += fmt::format("{}{}={}", separator, key, value);
    separator = ',';
  }
  return out;
}

std::string nearest(const std::string& word, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::iota(row.begin(), row.end(), 0U);
    for (std::size_t i = 0; i < word.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i + 1;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t substituted = diagonal + (word[i] == candidate[j] ? 0 : 1);
        diagonal = row[j + 1];
        row[j + 1] = std::min({substituted, row[j] + 1, diagonal + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

double parse_number(const std::string& text, const std::string& what) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    throw UsageError(fmt::format("{} must be a finite number, not '{}'", what, text));
  return value;
}

int64_t parse_integer(const std::string& text, const std::string& what) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    throw UsageError(fmt::format("{} must be a whole number, not '{}'", what, text));
  return value;
}

}  // namespace stride
