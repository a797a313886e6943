#include "pipeline/familiar/png_text.h"

#include "framework/error.h"

#include <fmt/format.h>

#include <cstdint>
#include <map>

namespace stride {
namespace {

// PNG, third edition (W3C 2025), sections 5 and 11.3.4.
constexpr std::string_view kSignature{"\x89PNG\r\n\x1a\n", 8};
constexpr std::size_t kMostText = std::size_t{16} << 20;

uint32_t big_endian(std::string_view bytes) {
  uint32_t out = 0;
  for (std::size_t i = 0; i < 4; ++i) out = out << 8U | static_cast<unsigned char>(bytes[i]);
  return out;
}

uint32_t crc_of(std::string_view bytes) {
  uint32_t crc = 0xFFFFFFFFU;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1U ^ (crc & 1U ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

std::string utf8_of_latin1(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0U | byte >> 6U);
      out += static_cast<char>(0x80U | (byte & 0x3FU));
    }
  }
  return out;
}

struct Text {
  std::string value;
  bool packed = false;
};

// Keyword and text of one chunk.
void read_text(std::string_view kind, std::string_view body, std::map<std::string, Text>& out) {
  const auto end = body.find('\0');
  if (end == std::string_view::npos) return;
  const std::string key(body.substr(0, end));
  std::string_view rest = body.substr(end + 1);
  if (kind == "tEXt") {
    out.emplace(key, Text{utf8_of_latin1(rest)});
  } else if (kind == "zTXt") {
    out.emplace(key, Text{"", true});
  } else if (rest.size() >= 2) {  // iTXt: whether and how it is packed, language, keyword in it, text
    const bool packed = rest[0] != 0;
    rest.remove_prefix(2);
    for (int skipped = 0; skipped < 2; ++skipped) {
      const auto zero = rest.find('\0');
      if (zero == std::string_view::npos) return;
      rest.remove_prefix(zero + 1);
    }
    out.emplace(key, packed ? Text{"", true} : Text{std::string(rest)});
  }
}

}  // namespace

bool is_png(std::string_view bytes) noexcept { return bytes.starts_with(kSignature); }

std::string png_settings_text(std::string_view bytes, const std::string& where) {
  std::map<std::string, Text> texts;
  std::size_t at = kSignature.size();
  for (bool ends = false; !ends;) {
    if (bytes.size() - at < 12) throw InputError(fmt::format("{}: the PNG is cut at byte {}", where, bytes.size()));
    const std::size_t length = big_endian(bytes.substr(at));
    if (length > bytes.size() - at - 12)
      throw InputError(fmt::format("{}: the PNG is cut, or damaged at byte {}", where, at));
    const std::string_view kind = bytes.substr(at + 4, 4);
    if (kind == "tEXt" || kind == "iTXt" || kind == "zTXt") {
      if (length > kMostText)
        throw InputError(fmt::format("{}: {} bytes of text at byte {} are no settings", where, length, at));
      if (crc_of(bytes.substr(at + 4, length + 4)) != big_endian(bytes.substr(at + 8 + length)))
        throw InputError(fmt::format("{}: the PNG's text at byte {} is damaged (checksum)", where, at));
      read_text(kind, bytes.substr(at + 8, length), texts);
    }
    ends = kind == "IEND";
    at += length + 12;
  }
  bool packed = false;
  for (const char* key : {"parameters", "prompt"}) {
    const auto found = texts.find(key);
    if (found == texts.end()) continue;
    if (!found->second.packed) return found->second.value;
    packed = true;
  }
  if (packed) throw InputError(fmt::format("{}: the settings in this PNG are packed; save them as a text file", where));
  throw InputError(fmt::format(
      "{}: this PNG holds no settings (text under `parameters`, as A1111 writes it, or `prompt`, as ComfyUI)", where));
}

}  // namespace stride
