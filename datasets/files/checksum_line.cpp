#include "datasets/files/checksum_line.h"

#include "framework/error.h"
#include "framework/files/hash.h"

#include <fmt/format.h>

namespace stride {
namespace {

// "\nstride xxh3-128 <32 digits> of <20 digits> bytes\n"
constexpr std::string_view kStart = "\nstride xxh3-128 ";
constexpr std::size_t kLine = kStart.size() + 32 + 4 + 20 + 7;

std::string line_for(std::string_view content) {
  Xxh3Hash hash;
  hash.add(content);
  return checksum_line(hash);
}

}  // namespace

std::string checksum_line(const Xxh3Hash& content) {
  return fmt::format("{}{} of {:020} bytes\n", kStart, content.text(), content.bytes());
}

void append_checksum_line(std::string& bytes) { bytes += line_for(bytes); }

bool has_checksum_line(std::string_view bytes) noexcept {
  return bytes.size() >= kLine && bytes.substr(bytes.size() - kLine).starts_with(kStart);
}

std::string_view verify_checksum_line(std::string_view bytes, const std::string& where) {
  if (!has_checksum_line(bytes)) {
    throw InputError(
        fmt::format("{} does not end in Stride's checksum: it was cut short, rewritten by another program, "
                    "or not written by Stride",
                    where));
  }
  const std::string_view content = bytes.substr(0, bytes.size() - kLine);
  if (line_for(content) != bytes.substr(content.size())) {
    throw InputError(fmt::format("{} is damaged: its content does not match its checksum", where));
  }
  return content;
}

}  // namespace stride
