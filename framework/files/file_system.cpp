#include "framework/files/file_system.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>

namespace stride {
namespace {

int result_of(int returned) { return returned < 0 ? -errno : returned; }

/// Holds SIGXFSZ back from this thread while it writes. The kernel sends it to the writing thread
/// together with EFBIG; what arrived meanwhile is taken away again, so it reaches nobody.
class FileSizeSignalHeld final {
 public:
  FileSizeSignalHeld() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    held_ = pthread_sigmask(SIG_BLOCK, &signal_, &before_) == 0 && sigismember(&before_, SIGXFSZ) == 0;
  }
  ~FileSizeSignalHeld() {
    if (!held_) return;
    const timespec no_wait{};
    while (sigtimedwait(&signal_, nullptr, &no_wait) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  FileSizeSignalHeld(const FileSizeSignalHeld&) = delete;
  FileSizeSignalHeld& operator=(const FileSizeSignalHeld&) = delete;

 private:
  sigset_t signal_{};
  sigset_t before_{};
  bool held_ = false;
};

class PosixFileSystem final : public FileSystem {
 public:
  int open(const std::string& path, int flags, unsigned mode) override {
    const bool reads = (flags & (O_ACCMODE | O_PATH | O_DIRECTORY)) == O_RDONLY;
    // A pipe in the file system waits for a writer, for ever where there is none. Those of the shell (/dev/fd/63) are
    // open already.
    if (!reads || path.starts_with("/dev/") || path.starts_with("/proc/"))
      return result_of(::open(path.c_str(), flags | O_CLOEXEC, static_cast<mode_t>(mode)));
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0) return -errno;
    struct stat about {};
    const int code = ::fstat(descriptor, &about) != 0 ? errno : S_ISFIFO(about.st_mode) ? ESPIPE : 0;
    if (code == 0) return descriptor;
    (void)::close(descriptor);
    return -code;
  }

  int64_t read(int descriptor, void* bytes, std::size_t size) override {
    const ssize_t done = ::read(descriptor, bytes, size);
    return done < 0 ? -errno : done;
  }

  int64_t write(int descriptor, const void* bytes, std::size_t size) override {
    const FileSizeSignalHeld held;
    const ssize_t done = ::write(descriptor, bytes, size);
    return done < 0 ? -errno : done;
  }

  int sync(int descriptor) override { return result_of(::fsync(descriptor)); }
  int close(int descriptor) override { return result_of(::close(descriptor)); }

  int rename(const std::string& from, const std::string& to) override {
    return result_of(::rename(from.c_str(), to.c_str()));
  }

  int remove(const std::string& path) override { return result_of(::unlink(path.c_str())); }
  int make_folder(const std::string& path) override { return result_of(::mkdir(path.c_str(), 0777)); }

  int list(const std::string& path, std::vector<std::string>& names) override {
    const auto close_folder = [](DIR* open) { ::closedir(open); };
    const std::unique_ptr<DIR, decltype(close_folder)> folder(::opendir(path.c_str()), close_folder);
    if (!folder) return -errno;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(folder.get());
      if (entry == nullptr) return -errno;
      const std::string name = entry->d_name;
      if (name != "." && name != "..") names.push_back(name);
    }
  }
};

}  // namespace

FileSystem& posix_file_system() noexcept {
  static PosixFileSystem system;
  return system;
}

}  // namespace stride
