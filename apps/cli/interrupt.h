// SIGINT and SIGTERM as a flag that work looks at between its units.
#pragma once

#include "apps/cli/exit_code.h"

#include <optional>

namespace stride {

/// While one lives, the first SIGINT or SIGTERM sets a flag; a second one ends the process at once. Signal
/// handlers are the process's, so only one may live at a time: a second is a std::logic_error.
class InterruptGuard final {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// The signal that came, as its exit code; none while none has.
[[nodiscard]] std::optional<ExitCode> interrupted() noexcept;

}  // namespace stride
