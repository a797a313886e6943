// "NAME:key=value,key=value": how solvers, schedules and policies are named everywhere.
#pragma once

#include <cstdint>
#include <map>
#include <set>
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

/// Reads the options of a Spec, typed, and finds the ones nobody asked for.
class OptionReader {
 public:
  /// `what` names the thing for messages, e.g. "solver".
  OptionReader(const Spec& spec, std::string what) : spec_(spec), what_(std::move(what)) {}

  [[nodiscard]] double number(const std::string& key, double fallback);
  [[nodiscard]] int64_t integer(const std::string& key, int64_t fallback);
  [[nodiscard]] bool flag(const std::string& key, bool fallback);
  [[nodiscard]] std::string word(const std::string& key, const std::string& fallback);
  [[nodiscard]] std::string argument(const std::string& missing_message);

  /// Throws UsageError, with the nearest known key, if an option or argument was not read.
  void done() const;

 protected:
  [[nodiscard]] const Spec& spec() const noexcept { return spec_; }

 private:
  const Spec& spec_;
  std::string what_;
  std::set<std::string> known_;
  bool argument_read_ = false;
};

/// The candidate nearest to `word` by edit distance, or "" when none is near: "did you mean".
[[nodiscard]] std::string nearest(const std::string& word, const std::vector<std::string>& candidates);

/// Strict number parsing: the whole text or a UsageError that names `what`.
[[nodiscard]] double parse_number(const std::string& text, const std::string& what);
[[nodiscard]] int64_t parse_integer(const std::string& text, const std::string& what);

}  // namespace stride
