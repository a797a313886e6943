// Strict reading of JSON: every value typed, every message with its place. nlohmann/json.hpp comes from the .cpp file.
#pragma once

#include "framework/error.h"
#include "framework/files/printable.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// A value and where it is: `where` names the document, `path` the value in it ("/samplers/3/cost"). What is not as
/// asked for is an InputError "WHERE: PATH …". `value` must outlive it.
template <class Json>
class JsonPlace final {
 public:
  JsonPlace(const Json& value, std::string where, std::string path = "")
      : value_(&value), where_(std::move(where)), path_(std::move(path)) {}

  [[nodiscard]] const Json& value() const noexcept { return *value_; }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  [[noreturn]] void fail(const std::string& what) const {
    const std::string place = path_.empty() ? "it" : printable(path_, Lines::escaped);
    throw InputError(fmt::format("{}: {} {}", where_, place, what));
  }

  [[nodiscard]] JsonPlace at(const std::string& key) const {
    auto found = find(key);
    if (!found) JsonPlace(*value_, where_, path_ + "/" + key).fail("is missing");
    return *std::move(found);
  }
  /// None where there is no such key. An entry that is null is there.
  [[nodiscard]] std::optional<JsonPlace> find(const std::string& key) const {
    if (!value_->is_object()) fail("must be an object");
    const auto found = value_->find(key);
    if (found == value_->end()) return std::nullopt;
    return JsonPlace(*found, where_, path_ + "/" + key);
  }
  [[nodiscard]] bool is_null() const noexcept { return value_->is_null(); }

  [[nodiscard]] std::vector<JsonPlace> list() const {
    if (!value_->is_array()) fail("must be a list");
    std::vector<JsonPlace> out;
    for (const Json& each : *value_) out.emplace_back(each, where_, fmt::format("{}/{}", path_, out.size()));
    return out;
  }
  [[nodiscard]] std::vector<std::pair<std::string, JsonPlace>> entries() const {
    if (!value_->is_object()) fail("must be an object");
    std::vector<std::pair<std::string, JsonPlace>> out;
    for (const auto& [key, each] : value_->items()) out.emplace_back(key, JsonPlace(each, where_, path_ + "/" + key));
    return out;
  }

  [[nodiscard]] std::string text() const {
    if (!value_->is_string()) fail("must be a text");
    return value_->template get<std::string>();
  }
  [[nodiscard]] std::string text_or(const std::string& key, const std::string& otherwise) const {
    const auto found = find(key);
    return found ? found->text() : otherwise;
  }
  [[nodiscard]] bool flag() const {
    if (!value_->is_boolean()) fail("must be true or false");
    return value_->template get<bool>();
  }
  /// From `low` to `high`, both included.
  [[nodiscard]] int64_t whole(int64_t low = std::numeric_limits<int64_t>::min(),
                              int64_t high = std::numeric_limits<int64_t>::max()) const {
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    const bool fits =
        value_->is_number_integer() && (!value_->is_number_unsigned() || value_->template get<uint64_t>() <= kMost);
    if (!fits) fail("must be a whole number");
    const auto number = value_->template get<int64_t>();
    if (number < low || number > high) fail(fmt::format("must be a whole number from {} to {}", low, high));
    return number;
  }
  [[nodiscard]] double number() const {
    if (!value_->is_number()) fail("must be a number");
    return value_->template get<double>();
  }

  [[nodiscard]] std::vector<int64_t> wholes(int64_t low = std::numeric_limits<int64_t>::min(),
                                            int64_t high = std::numeric_limits<int64_t>::max()) const {
    std::vector<int64_t> out;
    for (const JsonPlace& each : list()) out.push_back(each.whole(low, high));
    return out;
  }
  [[nodiscard]] std::vector<double> numbers() const {
    std::vector<double> out;
    for (const JsonPlace& each : list()) out.push_back(each.number());
    return out;
  }
  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const JsonPlace& each : list()) out.push_back(each.text());
    return out;
  }

 private:
  const Json* value_;
  std::string where_, path_;
};

template <class Json>
JsonPlace(const Json&, std::string, std::string) -> JsonPlace<Json>;
template <class Json>
JsonPlace(const Json&, std::string) -> JsonPlace<Json>;

}  // namespace stride
