#include "framework/files/seal.h"

#include "framework/error.h"
#include "framework/files/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view kLine = "# stride xxh3-128 ";
constexpr std::string_view kLineEnd = " of what follows\n";
constexpr std::size_t kDigits = 32;

std::string text_of(const ordered_json& object, int indent) {
  return object.dump(indent, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

std::string seal_of(const ordered_json& object) {
  if (!object.contains(kSealKey)) return xxh3_128(text_of(object, -1));
  ordered_json rest = object;
  rest.erase(kSealKey);
  return xxh3_128(text_of(rest, -1));
}

std::string sealed_json(ordered_json object, int indent) {
  object.erase(kSealKey);
  object[kSealKey] = seal_of(object);
  return text_of(object, indent) + "\n";
}

bool take_seal(ordered_json& object, const std::string& where) {
  if (!object.is_object()) return false;
  const auto found = object.find(kSealKey);
  if (found == object.end()) return false;
  const ordered_json seal = *found;
  object.erase(kSealKey);
  if (seal != seal_of(object)) {
    throw InputError(
        fmt::format("{}: its checksum is wrong: it was damaged, or changed by hand (then take its last entry, \"{}\", "
                    "out)",
                    where, kSealKey));
  }
  return true;
}

std::string sealed_toml(const std::string& text) {
  return fmt::format("{}{}{}{}", kLine, xxh3_128(text), kLineEnd, text);
}

bool check_toml_seal(std::string_view text, const std::string& where) {
  if (!text.starts_with(kLine)) return false;
  const std::size_t begin = kLine.size() + kDigits + kLineEnd.size();
  const std::string_view rest = text.substr(std::min(begin, text.size()));
  if (text.size() < begin || sealed_toml(std::string(rest)) != text) {
    throw InputError(fmt::format(
        "{}: its checksum is wrong: it was damaged, or changed by hand (then take its first line out)", where));
  }
  return true;
}

}  // namespace stride
