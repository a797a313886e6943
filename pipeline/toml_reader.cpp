#include "pipeline/toml_reader.h"

#include "framework/error.h"
#include "framework/files/limits.h"
#include "framework/files/printable.h"
#include "framework/files/seal.h"
#include "framework/spec.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace stride {

void refuse_toml() { throw std::invalid_argument("unexpected character"); }

namespace {

// What of a text is refused before the library reads it: what nests deeper than kMaxDocumentDepth, by brackets and the
// parts of dotted keys, each of which is a level of recursion there; and a character outside ASCII where TOML allows
// none, or right after a line that ends in a backslash, where toml++ 3.3 runs into code that it calls unreachable.
class Scan final {
 public:
  explicit Scan(std::string_view text) : text_(text) {}

  struct Refusal {
    std::size_t place;
    std::string why;
  };

  [[nodiscard]] std::optional<Refusal> refused() {
    constexpr std::string_view mark = "\xEF\xBB\xBF";  // of byte order
    for (at_ = text_.starts_with(mark) ? mark.size() : 0; at_ < text_.size(); ++at_) {
      const char here = text_[at_];
      if (here == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size() - 1);
        parts_ = 0;
      } else if (here == '"' || here == '\'') {
        skip_text();
      } else if (here == '[' || here == '{') {
        open_.push_back(parts_ + 1);
        depth_ += open_.back();
        parts_ = 0;
      } else if (here == ']' || here == '}') {
        if (!open_.empty()) {
          depth_ -= open_.back();
          open_.pop_back();
        }
        parts_ = 0;
      } else if (here == ',' || here == '\n') {
        parts_ = 0;
      } else if (here == '.') {
        ++parts_;
      } else if (!is_ascii(here)) {
        refusal_ = {at_, "not valid TOML: a character outside ASCII, which only texts in quotes and comments may hold"};
      }
      if (depth_ + parts_ > kMaxDocumentDepth)
        refusal_ = {at_, fmt::format("nested more than {} levels deep", kMaxDocumentDepth)};
      if (refusal_) return refusal_;
    }
    return std::nullopt;
  }

 private:
  static bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

  // To the closing quote, or where the line or the text ends.
  void skip_text() {
    const char quote = text_[at_];
    const std::string three(3, quote);
    const bool several = text_.substr(at_, 3) == three;
    at_ += several ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      if (quote == '"' && text_[at_] == '\\') {
        skip_escape();
      } else if (several ? text_.substr(at_, 3) == three : text_[at_] == quote) {
        at_ += several ? 2 : 0;
        // Up to two quotes may stand before the three that close.
        for (int i = 0; several && i < 2 && at_ + 1 < text_.size() && text_[at_ + 1] == quote; ++i) ++at_;
        return;
      } else if (!several && text_[at_] == '\n') {
        return;
      }
    }
  }

  void skip_escape() {
    ++at_;
    const std::size_t next = text_.find_first_not_of(" \t\r\n", at_);
    if (!refusal_ && next < text_.size() && !is_ascii(text_[next]))
      refusal_ = {next,
                  "a character outside ASCII right after a backslash; write it as \\u and four hexadecimal digits"};
    if (next > at_) at_ = std::min(next, text_.size()) - 1;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<int> open_;
  int depth_ = 0, parts_ = 0;
  std::optional<Refusal> refusal_;
};

}  // namespace

toml::table parse_toml_text(const std::string& text, const std::string& where) {
  if (text.size() > kMaxDocumentBytes)
    throw InputError(fmt::format("{}: {} bytes, more than any TOML that is read here", where, text.size()));
  if (const auto refusal = Scan(text).refused()) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(refusal->place);
    throw InputError(fmt::format("{}, line {}: {}", where, std::count(text.begin(), end, '\n') + 1, refusal->why));
  }
  (void)check_toml_seal(text, where);
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    throw InputError(fmt::format("{}, line {}: not valid TOML: {}", where, error.source().begin.line,
                                 printable(error.description(), Lines::escaped)));
  } catch (const std::invalid_argument& error) {
    throw InputError(fmt::format("{}: not valid TOML: {}", where, error.what()));
  }
}

const toml::node* TomlReader::node(const std::string& key) {
  known_.push_back(key);
  return table_.get(key);
}

void TomlReader::fail(const std::string& key, const std::string& what) const {
  const toml::node* node = table_.get(key);
  const std::string line = node == nullptr ? "" : fmt::format(", line {}", node->source().begin.line);
  throw InputError(fmt::format("{}{}: {}.{} {}", where_, line, path_, key, what));
}

std::optional<std::string> TomlReader::text(const std::string& key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  const auto* text = found->as_string();
  if (text == nullptr) fail(key, "must be a string");
  return text->get();
}

std::optional<std::vector<std::string>> TomlReader::texts(const std::string& key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  const auto* array = found->as_array();
  if (array == nullptr) fail(key, "must be a list of strings");
  std::vector<std::string> out;
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr) fail(key, "must hold strings only");
    out.push_back(text->get());
  }
  return out;
}

namespace {

std::optional<double> as_number(const toml::node& node) {
  if (const auto* number = node.as_floating_point(); number != nullptr && std::isfinite(number->get()))
    return number->get();
  if (const auto* number = node.as_integer()) return static_cast<double>(number->get());
  return std::nullopt;
}

}  // namespace

std::optional<double> TomlReader::number(const std::string& key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  const auto value = as_number(*found);
  if (!value) fail(key, "must be a number, and a finite one");
  return value;
}

std::optional<int64_t> TomlReader::integer(const std::string& key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  const auto* value = found->as_integer();
  if (value == nullptr) fail(key, "must be an integer");
  return value->get();
}

std::optional<std::vector<double>> TomlReader::numbers(const std::string& key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  const auto* array = found->as_array();
  if (array == nullptr) fail(key, "must be a list of numbers");
  std::vector<double> out;
  for (const toml::node& element : *array) {
    const auto value = as_number(element);
    if (!value) fail(key, "must hold finite numbers only");
    out.push_back(*value);
  }
  return out;
}

std::optional<std::vector<int64_t>> TomlReader::integers(const std::string& key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  const auto* array = found->as_array();
  if (array == nullptr) fail(key, "must be a list of integers");
  std::vector<int64_t> out;
  for (const toml::node& element : *array) {
    const auto* value = element.as_integer();
    if (value == nullptr) fail(key, "must hold integers only");
    out.push_back(value->get());
  }
  return out;
}

std::optional<std::vector<std::vector<double>>> TomlReader::rows(const std::string& key) {
  const toml::node* found = node(key);
  if (found == nullptr) return std::nullopt;
  const auto* array = found->as_array();
  if (array == nullptr) fail(key, "must be a list of lists of numbers");
  std::vector<std::vector<double>> out;
  for (const toml::node& row : *array) {
    const auto* numbers = row.as_array();
    if (numbers == nullptr) fail(key, "must be a list of lists of numbers");
    std::vector<double>& values = out.emplace_back();
    for (const toml::node& element : *numbers) {
      const auto value = as_number(element);
      if (!value) fail(key, "must hold finite numbers only");
      values.push_back(*value);
    }
  }
  return out;
}

const toml::table* TomlReader::table(const std::string& key) {
  const toml::node* found = node(key);
  if (found == nullptr) return nullptr;
  if (!found->is_table()) fail(key, "must be a table");
  return found->as_table();
}

std::vector<const toml::table*> TomlReader::tables(const std::string& key) {
  const toml::node* found = node(key);
  if (found == nullptr) return {};
  const auto* array = found->as_array();
  if (array == nullptr) fail(key, "must be a list of tables");
  std::vector<const toml::table*> out;
  for (const toml::node& element : *array) {
    if (!element.is_table()) fail(key, "must be a list of tables");
    out.push_back(element.as_table());
  }
  return out;
}

void TomlReader::done() const {
  for (const auto& [key, node] : table_) {
    const std::string name(key.str());
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const std::string guess = nearest(name, known_);
    throw UsageError(fmt::format("{}, line {}: unknown key {}.{}{}", where_, key.source().begin.line, path_, name,
                                 guess.empty() ? "" : "; did you mean '" + guess + "'?"));
  }
}

}  // namespace stride
