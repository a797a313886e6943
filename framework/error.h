// Exceptions for misuse and for what the machine refuses. Numerical failure of a sample is not one of
// them: it is data (Status in run_state.h).
#pragma once

#include <stdexcept>
#include <string>

namespace stride {

/// Exit codes of the command line; scripts rely on them.
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

/// Base of all errors that Stride throws. The message says what was wrong, where, and how to fix it.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  [[nodiscard]] ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

/// A wrong option, configuration or argument.
struct UsageError final : Error {
  explicit UsageError(const std::string& message) : Error(ExitCode::usage, message) {}
};

/// A file that is missing, truncated, corrupt or of another kind than needed.
struct InputError final : Error {
  explicit InputError(const std::string& message) : Error(ExitCode::bad_input, message) {}
};

/// A quality gate that failed, or a sample that did not stay finite where that ends the run.
struct QualityError final : Error {
  explicit QualityError(const std::string& message) : Error(ExitCode::non_finite, message) {}
};

/// Out of memory, disk, or file size.
struct ResourceError final : Error {
  explicit ResourceError(const std::string& message) : Error(ExitCode::resources, message) {}
};

/// Somebody else holds the lock.
struct LockedError final : Error {
  explicit LockedError(const std::string& message) : Error(ExitCode::locked, message) {}
};

}  // namespace stride
