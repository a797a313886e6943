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

// Where a text would nest deeper than kMaxDocumentDepth: brackets and the parts of dotted keys, without reading it.
// Each level is a level of recursion in the library.
class DepthScan final {
 public:
  explicit DepthScan(std::string_view text) : text_(text) {}

  [[nodiscard]] std::optional<std::size_t> too_deep() {
    for (; at_ < text_.size(); ++at_) {
      switch (text_[at_]) {
        case '#':
          at_ = std::min(text_.find('\n', at_), text_.size() - 1);
          parts_ = 0;
          break;
        case '"':
        case '\'':
          skip_text();
          break;
        case '[':
        case '{':
          open_.push_back(parts_ + 1);
          depth_ += open_.back();
          parts_ = 0;
          break;
        case ']':
        case '}':
          if (!open_.empty()) {
            depth_ -= open_.back();
            open_.pop_back();
          }
          parts_ = 0;
          break;
        case ',':
        case '\n':
          parts_ = 0;
          break;
        case '.':
          ++parts_;
          break;
        default:
          break;
      }
      if (depth_ + parts_ > kMaxDocumentDepth) return at_;
    }
    return std::nullopt;
  }

 private:
  // To the closing quote, or where the line or the text ends.
  void skip_text() {
    const char quote = text_[at_];
    const std::string three(3, quote);
    const bool several = text_.substr(at_, 3) == three;
    at_ += several ? 3 : 1;
    for (; at_ < text_.size(); ++at_) {
      if (quote == '"' && text_[at_] == '\\') {
        ++at_;
      } else if (several ? text_.substr(at_, 3) == three : text_[at_] == quote) {
        at_ += several ? 2 : 0;
        return;
      } else if (!several && text_[at_] == '\n') {
        return;
      }
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<int> open_;
  int depth_ = 0, parts_ = 0;
};

}  // namespace

toml::table parse_toml_text(const std::string& text, const std::string& where) {
  if (text.size() > kMaxDocumentBytes)
    throw InputError(fmt::format("{}: {} bytes, more than any TOML that is read here", where, text.size()));
  if (const auto place = DepthScan(text).too_deep()) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(*place);
    throw InputError(fmt::format("{}, line {}: nested more than {} levels deep", where,
                                 std::count(text.begin(), end, '\n') + 1, kMaxDocumentDepth));
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
