// Files that are part of the program: everything under models/ that has a card, and orders.json, what the order suite
// measured (cmake/StrideEmbed.cmake).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stride {

struct EmbeddedFile {
  std::string_view name;   ///< relative to models/, e.g. "digits/card.toml"; "orders.json"
  std::string_view bytes;  ///< live as long as the program
};

[[nodiscard]] std::vector<EmbeddedFile> embedded_files();
[[nodiscard]] std::optional<std::string_view> embedded_file(const std::string& name);

}  // namespace stride
