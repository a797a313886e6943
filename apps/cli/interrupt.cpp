#include "apps/cli/interrupt.h"

#include <unistd.h>
#include <csignal>
#include <stdexcept>

namespace stride {
namespace {

// A signal handler can reach nothing but static storage.
volatile std::sig_atomic_t caught_signal = 0;
bool guarded = false;
struct sigaction previous_int {};
struct sigaction previous_term {};

extern "C" void note_signal(int signal) {
  caught_signal = signal;
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  sigaction(SIGINT, &standard, nullptr);
  sigaction(SIGTERM, &standard, nullptr);
}

extern "C" void leave_on_signal(int signal) {
  _exit(static_cast<int>(signal == SIGINT ? ExitCode::interrupted : ExitCode::terminated));
}

}  // namespace

InterruptGuard::InterruptGuard(OnSignal what) {
  if (guarded) throw std::logic_error("a second InterruptGuard");
  guarded = true;
  caught_signal = 0;
  struct sigaction action {};
  action.sa_handler = what == OnSignal::leave ? leave_on_signal : note_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &previous_int);
  sigaction(SIGTERM, &action, &previous_term);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &previous_int, nullptr);
  sigaction(SIGTERM, &previous_term, nullptr);
  guarded = false;
}

std::optional<ExitCode> interrupted() noexcept {
  switch (caught_signal) {
    case SIGINT:
      return ExitCode::interrupted;
    case SIGTERM:
      return ExitCode::terminated;
    default:
      return std::nullopt;
  }
}

}  // namespace stride
