// The file system, with one operation that goes wrong: the test that fails the n-th one, for every n.
#pragma once

#include "framework/files/file_system.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

namespace stride::testing {

enum class Fault {
  none,
  no_space,       ///< -ENOSPC, not done
  io_error,       ///< -EIO, not done
  interrupted,    ///< -EINTR, not done
  short_write,    ///< half of what was asked; other operations work
  late_io_error,  ///< done, and -EIO all the same
  disk_full,      ///< from the n-th on, whatever needs space is -ENOSPC
};
inline constexpr Fault kFaults[] = {Fault::no_space,    Fault::io_error,      Fault::interrupted,
                                    Fault::short_write, Fault::late_io_error, Fault::disk_full};

class FaultFileSystem final : public FileSystem {
 public:
  /// Operation number `nth` (from 1) suffers `fault`.
  FaultFileSystem(int nth, Fault fault) : nth_(nth), fault_(fault) {}

  [[nodiscard]] int count() const { return static_cast<int>(log_.size()); }
  /// Names of the operations, in order.
  [[nodiscard]] const std::vector<std::string>& log() const { return log_; }

  int open(const std::string& path, int flags, unsigned mode) override {
    const bool creates = (flags & O_CREAT) != 0;
    return apply((flags & O_DIRECTORY) != 0 ? "open folder"
                 : creates                  ? "create"
                                            : "open",
                 creates, [&] { return posix_file_system().open(path, flags, mode); });
  }
  int64_t read(int descriptor, void* bytes, std::size_t size) override {
    return apply("read", false, [&] { return posix_file_system().read(descriptor, bytes, size); });
  }
  int64_t write(int descriptor, const void* bytes, std::size_t size) override {
    const std::size_t part = is_next(Fault::short_write) ? std::max<std::size_t>(1, size / 2) : size;
    return apply("write", true, [&] { return posix_file_system().write(descriptor, bytes, part); });
  }
  int sync(int descriptor) override {
    return apply("sync", false, [&] { return posix_file_system().sync(descriptor); });
  }
  int close(int descriptor) override {
    const int closed = posix_file_system().close(descriptor);
    return apply("close", false, [&] { return closed; });
  }
  int rename(const std::string& from, const std::string& to) override {
    return apply("rename", false, [&] { return posix_file_system().rename(from, to); });
  }
  int remove(const std::string& path) override {
    return apply("remove", false, [&] { return posix_file_system().remove(path); });
  }
  int make_folder(const std::string& path) override {
    return apply("make folder", true, [&] { return posix_file_system().make_folder(path); });
  }
  int list(const std::string& path, std::vector<std::string>& names) override {
    return apply("list", false, [&] { return posix_file_system().list(path, names); });
  }

 private:
  [[nodiscard]] bool is_next(Fault fault) const { return fault_ == fault && count() + 1 == nth_; }

  template <typename Call>
  auto apply(const char* name, bool needs_space, const Call& call) -> decltype(call()) {
    const bool now = count() + 1 == nth_;
    const bool full = fault_ == Fault::disk_full && count() + 1 >= nth_ && needs_space;
    log_.emplace_back(name);
    if (full || (now && fault_ == Fault::no_space)) return -ENOSPC;
    if (now && fault_ == Fault::io_error) return -EIO;
    if (now && fault_ == Fault::interrupted) return -EINTR;
    const auto result = call();
    if (now && fault_ == Fault::late_io_error) {
      // A descriptor that the caller will never learn of would stay open.
      if (log_.back() == "open" || log_.back() == "create" || log_.back() == "open folder") {
        if (result >= 0) (void)posix_file_system().close(static_cast<int>(result));
      }
      return -EIO;
    }
    return result;
  }

  int nth_;
  Fault fault_;
  std::vector<std::string> log_;
};

}  // namespace stride::testing
