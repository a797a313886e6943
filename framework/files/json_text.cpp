#include "framework/files/json_text.h"

#include "framework/error.h"
#include "framework/files/limits.h"
#include "framework/files/printable.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace stride {
namespace {

using nlohmann::json;

// Reads the text again, to see where it goes wrong: the exception of an impossible number does not say.
class Locator final : public nlohmann::json_sax<json> {
 public:
  bool null() override { return more(); }
  bool boolean(bool /*value*/) override { return more(); }
  bool number_integer(number_integer_t /*value*/) override { return more(); }
  bool number_unsigned(number_unsigned_t /*value*/) override { return more(); }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return more(); }
  bool string(string_t& /*value*/) override { return more(); }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_object(std::size_t /*size*/) override { return deeper(); }
  bool key(string_t& /*value*/) override { return true; }
  bool end_object() override { return depth_-- > 0; }
  bool start_array(std::size_t /*size*/) override { return deeper(); }
  bool end_array() override { return depth_-- > 0; }
  bool parse_error(std::size_t position, const std::string& token, const json::exception& error) override {
    position_ = position;
    too_large_ = dynamic_cast<const json::out_of_range*>(&error) != nullptr ? token : "";
    return false;
  }

  [[nodiscard]] std::string message(std::string_view text, const std::string& where) const {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(position_, text.size()));
    const std::string place = fmt::format("{}, line {}", where, std::count(text.begin(), end, '\n') + 1);
    if (depth_ > kMaxDocumentDepth) return fmt::format("{}: nested more than {} levels deep", where, kMaxDocumentDepth);
    if (values_ > kMaxDocumentValues) return fmt::format("{}: holds more than {} values", where, kMaxDocumentValues);
    if (!too_large_.empty())
      return fmt::format("{}: the number {:.40} is too large", place, printable(too_large_, Lines::escaped));
    return fmt::format("{}: not valid JSON (byte {})", place, position_);
  }

 private:
  bool deeper() { return ++depth_ <= kMaxDocumentDepth && more(); }
  bool more() { return ++values_ <= kMaxDocumentValues; }

  int depth_ = 0;
  std::size_t values_ = 0;
  std::size_t position_ = 0;
  std::string too_large_;
};

template <class Json>
Json parsed(std::string_view text, const std::string& where) {
  if (text.size() > kMaxDocumentBytes)
    throw InputError(fmt::format("{}: {} bytes, more than any JSON that is read here", where, text.size()));
  Locator locator;
  if (!json::sax_parse(text, &locator)) throw InputError(locator.message(text, where));
  return Json::parse(text);
}

}  // namespace

nlohmann::json parse_json_text(std::string_view text, const std::string& where) { return parsed<json>(text, where); }

nlohmann::ordered_json parse_ordered_json_text(std::string_view text, const std::string& where) {
  return parsed<nlohmann::ordered_json>(text, where);
}

}  // namespace stride
