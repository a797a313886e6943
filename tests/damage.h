// What can happen to a file: one list for all suites that damage files.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace stride::testing {

/// One way to damage a file. `damaged` gives the new bytes, or none where the file is gone.
struct Damage {
  std::string name;
  std::optional<std::string> bytes;
};

/// The ways to damage `good`: deleted, truncated (to nothing, to half, at a line end, by one byte), zeroed (whole, its
/// first and last 512 bytes), and one bit flipped at `flips` places from the first byte to the last. Those that would
/// change nothing are left out.
[[nodiscard]] inline std::vector<Damage> damages_of(const std::string& good, std::size_t flips) {
  std::vector<Damage> out = {{"deleted", std::nullopt}};
  const auto add = [&](const std::string& name, std::string bytes) {
    if (bytes != good) out.push_back({name, std::move(bytes)});
  };
  const auto zeroed = [&](std::size_t begin, std::size_t size) {
    std::string bytes = good;
    std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(begin), size, '\0');
    return bytes;
  };
  const std::size_t size = good.size(), block = std::min<std::size_t>(size, 512);
  add("emptied", "");
  add("cut to half", good.substr(0, size / 2));
  add("cut at a line end", good.substr(0, good.rfind('\n', size - std::min<std::size_t>(size, 2)) + 1));
  add("cut by one byte", good.substr(0, size - std::min<std::size_t>(size, 1)));
  add("zeroed", zeroed(0, size));
  add("zeroed at its start", zeroed(0, block));
  add("zeroed at its end", zeroed(size - block, block));
  for (std::size_t i = 0; i < flips && size > 0; ++i) {
    const std::size_t at = flips == 1 ? size / 2 : i * (size - 1) / (flips - 1);
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (i * 5 % 8)));
    add("a bit flipped at " + std::to_string(at), std::move(bytes));
  }
  return out;
}

}  // namespace stride::testing
