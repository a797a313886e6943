// The system calls that Stride's files are made of, behind one interface so that tests can make any of
// them fail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stride {

/// Every call returns a negative errno on failure (-ENOSPC, …), so that nothing else decides what went
/// wrong. Calls may be interrupted (-EINTR) and `read` and `write` may do less than asked: callers loop.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  /// A descriptor ≥ 0. `flags` and `mode` as of open(2); O_CLOEXEC is added.
  [[nodiscard]] virtual int open(const std::string& path, int flags, unsigned mode) = 0;
  [[nodiscard]] virtual int64_t read(int descriptor, void* bytes, std::size_t size) = 0;
  /// Going past the process's file size limit is -EFBIG, never a fatal SIGXFSZ.
  [[nodiscard]] virtual int64_t write(int descriptor, const void* bytes, std::size_t size) = 0;
  [[nodiscard]] virtual int sync(int descriptor) = 0;
  /// The descriptor is gone whatever this returns.
  [[nodiscard]] virtual int close(int descriptor) = 0;
  [[nodiscard]] virtual int rename(const std::string& from, const std::string& to) = 0;
  [[nodiscard]] virtual int remove(const std::string& path) = 0;
  [[nodiscard]] virtual int make_folder(const std::string& path) = 0;
  /// Appends the names in a folder, without "." and "..", in no order.
  [[nodiscard]] virtual int list(const std::string& path, std::vector<std::string>& names) = 0;

 protected:
  FileSystem() = default;
  FileSystem(const FileSystem&) = default;
  FileSystem& operator=(const FileSystem&) = default;
};

/// The operating system's. It holds no state.
[[nodiscard]] FileSystem& posix_file_system() noexcept;

}  // namespace stride
