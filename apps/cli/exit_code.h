// Exit codes of the command line; scripts rely on them.
#pragma once

#include "framework/error.h"

namespace stride {

enum class ExitCode : int {
  ok = 0,
  run_failed = 1,
  usage = 2,
  bad_input = 3,
  non_finite = 4,
  resources = 5,
  locked = 6,
  interrupted = 130,
  terminated = 143,
};

[[nodiscard]] constexpr ExitCode exit_code(ErrorKind kind) noexcept {
  switch (kind) {
    case ErrorKind::usage:
      return ExitCode::usage;
    case ErrorKind::input:
      return ExitCode::bad_input;
    case ErrorKind::quality:
      return ExitCode::non_finite;
    case ErrorKind::resources:
      return ExitCode::resources;
    case ErrorKind::locked:
      return ExitCode::locked;
  }
  return ExitCode::run_failed;
}

}  // namespace stride
