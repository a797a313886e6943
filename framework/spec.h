// "NAME:key=value,key=value": how solvers, schedules and policies are named everywhere.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace stride {

/// A parsed name with its options. `argument` is the first option when it has no key, as in
/// `plan:FILE.json` or `custom:grid.txt`.
struct Spec {
  std::string name;
  std::string argument;
  std::map<std::string, std::string> options;

  /// Throws UsageError on an empty name, an empty key or a key given twice.
  [[nodiscard]] static Spec parse(const std::string& text);
  [[nodiscard]] std::string text() const;
};

/// The candidate nearest to `word` by edit distance, or "" when none is near: "did you mean".
[[nodiscard]] std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// Strict number parsing: the whole text or a UsageError that names `what`.
[[nodiscard]] double parse_number(const std::string& text, const std::string& what);
[[nodiscard]] int64_t parse_integer(const std::string& text, const std::string& what);

}  // namespace stride
