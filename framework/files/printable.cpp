#include "framework/files/printable.h"

#include <fmt/format.h>

#include <cstdint>

namespace stride {
namespace {

struct Character {
  uint32_t code;
  std::size_t length;  ///< 0: no UTF-8
};

// The shortest form of a code point that is no surrogate (RFC 3629).
Character character_at(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(text[i])); };
  const uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return {0, 0};
  uint32_t code = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return {0, 0};
    code = code << 6 | (byte(i) & 0x3FU);
  }
  if (code < kSmallest[length] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return {0, 0};
  return {code, length};
}

bool acts(uint32_t code, Lines lines) {
  if (code == '\n') return lines == Lines::escaped;
  if (code == '\t') return false;
  if (code < 0x20 || (code >= 0x7F && code < 0xA0)) return true;
  return (code >= 0x200B && code <= 0x200F) || (code >= 0x2028 && code <= 0x202E) ||
         (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF || (code >= 0xE0000 && code <= 0xE007F);
}

}  // namespace

std::string printable(std::string_view text, Lines lines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Character found = character_at(text);
    const std::size_t length = found.length == 0 ? 1 : found.length;
    if (found.length == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text.front()));
    } else if (!acts(found.code, lines)) {
      out.append(text.substr(0, length));
    } else if (found.code == '\n') {
      out += "\\n";
    } else if (found.code == '\r') {
      out += "\\r";
    } else {
      out += found.code < 0x80 ? fmt::format("\\x{:02x}", found.code) : fmt::format("\\u{:04x}", found.code);
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace stride
