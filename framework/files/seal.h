// Documents that carry their own checksum (XXH3-128): damage is found whoever reads them. Documents from before there
// were seals, and those that people write, have none: they are read, and not checked.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>

namespace stride {

/// The entry of a JSON object that holds the checksum of the others.
inline constexpr const char* kSealKey = "xxh3_128";

/// The text of `object` (two blanks a level) with its seal as the last entry. Text in it that is no UTF-8 is replaced.
[[nodiscard]] std::string sealed_json(nlohmann::ordered_json object, int indent = 2);
/// The seal that `object` should have.
[[nodiscard]] std::string seal_of(const nlohmann::ordered_json& object);
/// Takes the seal out of a parsed object; false where it has none. Throws InputError, naming `where`, when it is wrong.
bool take_seal(nlohmann::ordered_json& object, const std::string& where);

/// TOML: a first line that is a comment with the checksum of what follows.
[[nodiscard]] std::string sealed_toml(const std::string& text);
/// False where there is no such line. Throws InputError when it is wrong.
bool check_toml_seal(std::string_view text, const std::string& where);

}  // namespace stride
