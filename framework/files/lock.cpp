#include "framework/files/lock.h"

#include "framework/error.h"
#include "framework/files/file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace stride {
namespace {

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

/// What the holder wrote about itself; it may be about to.
std::string holder_of(int descriptor) {
  std::array<char, 512> text{};
  const ssize_t size = ::pread(descriptor, text.data(), text.size() - 1, 0);
  std::string holder(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  holder.resize(std::min(holder.size(), holder.find('\n')));
  return holder.empty() ? "another process" : holder;
}

int lock_without_waiting(int descriptor) {
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

LockFile::LockFile(std::string path, const std::string& run_id)
    : path_(std::move(path)), descriptor_(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) {
    const int code = errno;
    const std::string message = fmt::format("cannot make the lock file {}: {}", path_, std::strerror(code));
    if (code == ENOSPC || code == EDQUOT || code == EMFILE || code == ENFILE || code == EIO)
      throw ResourceError(message);
    throw UsageError(message);
  }
  if (const int code = lock_without_waiting(descriptor_); code != 0) {
    const std::string holder = holder_of(descriptor_);
    release();
    if (code == EWOULDBLOCK) {
      throw LockedError(fmt::format("{} is held by {}: wait for it to end, or write somewhere else", path_, holder));
    }
    throw ResourceError(fmt::format("cannot lock {}: {}", path_, std::strerror(code)));
  }
  // Only for messages: a disk too full for it does not undo the lock.
  const std::string holder =
      fmt::format("process {} on {}{}\n", ::getpid(), host_name(), run_id.empty() ? "" : " (run " + run_id + ")");
  if (::ftruncate(descriptor_, 0) == 0) (void)posix_file_system().write(descriptor_, holder.data(), holder.size());
}

LockFile::~LockFile() { release(); }

LockFile::LockFile(LockFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  if (this != &other) {
    release();
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
  }
  return *this;
}

void LockFile::release() noexcept {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

}  // namespace stride
