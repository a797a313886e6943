// The end of work that somebody asked to stop.
#pragma once

#include <exception>

namespace stride {

/// Thrown where work was asked to stop and has nothing to give: no failure, and no Error. What was saved before stays.
class Stopped final : public std::exception {
 public:
  [[nodiscard]] const char* what() const noexcept override { return "stopped"; }
};

}  // namespace stride
