// Exceptions for misuse and for what the machine refuses. Numerical failure of a sample is not one of
// them: it is data (Status in run_state.h).
//
// Messages name a setting by its field in backquotes, `sigma_min`; the command line shows it as its option.
#pragma once

#include <stdexcept>
#include <string>

namespace stride {

enum class ErrorKind { usage, input, quality, resources, locked };

/// Base of all errors that Stride throws. The message says what was wrong, where, and how to fix it.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  [[nodiscard]] ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

/// A wrong option, configuration or argument.
struct UsageError final : Error {
  explicit UsageError(const std::string& message) : Error(ErrorKind::usage, message) {}
};

/// A file that is missing, truncated, corrupt or of another kind than needed.
struct InputError final : Error {
  explicit InputError(const std::string& message) : Error(ErrorKind::input, message) {}
};

/// A quality gate that failed, or a sample that did not stay finite where that ends the run.
struct QualityError final : Error {
  explicit QualityError(const std::string& message) : Error(ErrorKind::quality, message) {}
};

/// Out of memory, disk, or file size.
struct ResourceError final : Error {
  explicit ResourceError(const std::string& message) : Error(ErrorKind::resources, message) {}
};

/// Somebody else holds the lock.
struct LockedError final : Error {
  explicit LockedError(const std::string& message) : Error(ErrorKind::locked, message) {}
};

}  // namespace stride
