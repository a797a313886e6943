// Strict reading of a TOML table: every value typed, every key accounted for. Includes toml++: for .cpp files only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
// toml++ 3.3 asserts on some malformed text, such as "[[[["; thrown, it is an error like any other.
namespace stride {
void refuse_toml();  // throws std::invalid_argument
}  // namespace stride
#define TOML_ASSERT(expr) ((expr) ? static_cast<void>(0) : ::stride::refuse_toml())
#include <toml++/toml.h>
#include <vector>

namespace stride {

/// Throws InputError, naming `where` and the line, on text that is not TOML.
[[nodiscard]] toml::table parse_toml_text(const std::string& text, const std::string& where);

/// Reads the keys of one table. A value of the wrong type is an InputError; done() finds the keys that
/// nobody asked for.
class TomlReader final {
 public:
  /// `path` is the table's place in messages, e.g. "model".
  TomlReader(const toml::table& table, std::string where, std::string path)
      : table_(table), where_(std::move(where)), path_(std::move(path)) {}

  [[nodiscard]] std::optional<std::string> text(const std::string& key);
  [[nodiscard]] std::optional<std::vector<std::string>> texts(const std::string& key);
  [[nodiscard]] std::optional<double> number(const std::string& key);
  [[nodiscard]] std::optional<std::vector<double>> numbers(const std::string& key);
  [[nodiscard]] std::optional<std::vector<int64_t>> integers(const std::string& key);
  [[nodiscard]] std::optional<int64_t> integer(const std::string& key);
  [[nodiscard]] std::optional<std::vector<std::vector<double>>> rows(const std::string& key);
  [[nodiscard]] const toml::table* table(const std::string& key);
  [[nodiscard]] std::vector<const toml::table*> tables(const std::string& key);
  /// The raw node, for values of several types.
  [[nodiscard]] const toml::node* node(const std::string& key);

  /// Throws UsageError, with 'did you mean', on a key that was not asked for.
  void done() const;
  /// Throws InputError: "WHERE, line N: PATH.KEY WHAT".
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;

 private:
  const toml::table& table_;
  std::string where_, path_;
  std::vector<std::string> known_;
};

}  // namespace stride
