// SIGINT and SIGTERM as a flag that work looks at between its units.
#pragma once

#include "apps/cli/exit_code.h"

#include <optional>

namespace stride {

enum class OnSignal {
  remember,  ///< the first one sets a flag; a second one ends the process
  leave,     ///< the process ends at once, with the signal's exit code
};

/// While one lives, SIGINT and SIGTERM do what `what` says. Signal
/// handlers are the process's, so only one may live at a time: a second is a std::logic_error.
class InterruptGuard final {
 public:
  explicit InterruptGuard(OnSignal what = OnSignal::remember);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
};

/// The signal that came, as its exit code; none while none has.
[[nodiscard]] std::optional<ExitCode> interrupted() noexcept;

}  // namespace stride
