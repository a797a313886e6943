// Damaged copies of a file.
#pragma once

#include <algorithm>
#include <random>
#include <string>

namespace stride::testing {

/// Damages `bytes` in one of seven ways, the same for the same `seed`. May come out unchanged.
[[nodiscard]] inline std::string mutate(std::string bytes, unsigned seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::size_t end) { return end == 0 ? 0 : static_cast<std::size_t>(random() % end); };
  const std::size_t at = below(bytes.size());
  const std::size_t length = std::min(bytes.size() - at, 1 + below(64));
  switch (random() % 7) {
    case 0:  // one bit
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
      break;
    case 1:  // a few bytes
      for (int i = 0; i < 4; ++i) bytes[below(bytes.size())] = static_cast<char>(random());
      break;
    case 2:  // cut short
      bytes.resize(at);
      break;
    case 3:  // a block of zeros
      std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), length, '\0');
      break;
    case 4:  // something inserted
      bytes.insert(at, length, static_cast<char>(random()));
      break;
    case 5:  // something missing
      bytes.erase(at, length);
      break;
    default:  // a block from elsewhere
      bytes.replace(at, length, bytes.substr(below(bytes.size()), length));
      break;
  }
  return bytes;
}

}  // namespace stride::testing
