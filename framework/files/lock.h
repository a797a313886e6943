// One writer at a time.
#pragma once

#include <string>

namespace stride {

/// Holds an advisory lock (flock(2)) on a lock file while it lives. The kernel releases it when the
/// process dies, however it dies; the file stays, and says who held it last (pid, host, run).
class LockFile final {
 public:
  /// Takes the lock without waiting. Throws LockedError, naming the holder, when somebody has it; UsageError
  /// when the file cannot be made.
  explicit LockFile(std::string path, const std::string& run_id = "");
  ~LockFile();
  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  void release() noexcept;

  std::string path_;
  int descriptor_ = -1;
};

}  // namespace stride
