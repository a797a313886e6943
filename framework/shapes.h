// Shapes of many out of the shape of one.
#pragma once

#include <cstdint>
#include <vector>

namespace stride {

/// `front`, then `shape`.
[[nodiscard]] inline std::vector<int64_t> prepend(std::vector<int64_t> front, const std::vector<int64_t>& shape) {
  front.insert(front.end(), shape.begin(), shape.end());
  return front;
}

}  // namespace stride
