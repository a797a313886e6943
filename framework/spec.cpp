#include "framework/spec.h"

#include "framework/error.h"
#include "framework/text_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

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

double OptionReader::number(const std::string& key, double fallback) {
  known_.insert(key);
  const auto found = spec_.options.find(key);
  return found == spec_.options.end() ? fallback
                                      : parse_number(found->second, fmt::format("{} '{}': {}", what_, spec_.name, key));
}

int64_t OptionReader::integer(const std::string& key, int64_t fallback) {
  known_.insert(key);
  const auto found = spec_.options.find(key);
  return found == spec_.options.end()
             ? fallback
             : parse_integer(found->second, fmt::format("{} '{}': {}", what_, spec_.name, key));
}

bool OptionReader::flag(const std::string& key, bool fallback) {
  const std::string value = word(key, fallback ? "true" : "false");
  if (value == "true" || value == "1" || value == "yes") return true;
  if (value == "false" || value == "0" || value == "no") return false;
  throw UsageError(fmt::format("{} '{}': {} must be true or false, not '{}'", what_, spec_.name, key, value));
}

std::string OptionReader::word(const std::string& key, const std::string& fallback) {
  known_.insert(key);
  const auto found = spec_.options.find(key);
  return found == spec_.options.end() ? fallback : found->second;
}

std::string OptionReader::argument(const std::string& missing_message) {
  argument_read_ = true;
  if (spec_.argument.empty()) throw UsageError(fmt::format("{} '{}': {}", what_, spec_.name, missing_message));
  return spec_.argument;
}

void OptionReader::done() const {
  if (!argument_read_ && !spec_.argument.empty())
    throw UsageError(fmt::format("{} '{}': '{}' is not key=value", what_, spec_.name, spec_.argument));
  for (const auto& [key, value] : spec_.options) {
    if (known_.contains(key)) continue;
    const std::vector<std::string> known(known_.begin(), known_.end());
    const std::string near = nearest(key, known);
    throw UsageError(fmt::format("{} '{}' has no option '{}'{}{}", what_, spec_.name, key,
                                 near.empty() ? "" : fmt::format("; did you mean '{}'?", near),
                                 known.empty()  ? "; it takes none"
                                 : near.empty() ? "; it takes " + fmt::format("{}", fmt::join(known, ", "))
                                                : ""));
  }
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
