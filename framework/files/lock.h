// One writer at a time.
#pragma once

#include <optional>
#include <string>

namespace stride {

/// Holds an advisory lock (flock(2)) on a lock file while it lives. The kernel releases it when the
/// process dies, however it dies; the file stays, and says who held it last (pid, host, run).
class LockFile final {
 public:
  /// Takes the lock without waiting. Throws LockedError, naming the holder, when somebody has it; UsageError
  /// when the file cannot be made.
  explicit LockFile(std::string path, const std::string& run_id = "");
  /// The same, of a file that goes away with the lock.
  [[nodiscard]] static LockFile passing(std::string path, const std::string& run_id = "");
  ~LockFile();
  LockFile(LockFile&& other) noexcept;
  LockFile& operator=(LockFile&& other) noexcept;
  LockFile(const LockFile&) = delete;
  LockFile& operator=(const LockFile&) = delete;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// Writes a line behind the holder's, for others to read: `text` without line ends. Throws ResourceError.
  void note(const std::string& text) const;

 private:
  LockFile(std::string path, const std::string& run_id, bool passes);
  [[nodiscard]] bool is_the_one_in_view() const noexcept;
  void take();
  void release(bool remove) noexcept;

  std::string path_;
  int descriptor_ = -1;
  bool passes_ = false;
};

/// Who holds the lock on the file `path`, as the holder described itself; none where nobody does. Changes nothing.
[[nodiscard]] std::optional<std::string> lock_holder(const std::string& path);
/// What its holder noted there; none where nobody holds it or nothing was noted.
[[nodiscard]] std::optional<std::string> lock_note(const std::string& path);

}  // namespace stride
