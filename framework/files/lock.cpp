#include "framework/files/lock.h"

#include "framework/error.h"
#include "framework/files/file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
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

LockFile::LockFile(std::string path, const std::string& run_id) : LockFile(std::move(path), run_id, false) {}

LockFile LockFile::passing(std::string path, const std::string& run_id) { return {std::move(path), run_id, true}; }

LockFile::LockFile(std::string path, const std::string& run_id, bool passes) : path_(std::move(path)), passes_(passes) {
  // The file of a holder that just went is not the one that the next will find.
  do {
    release(false);
    take();
  } while (passes_ && !is_the_one_in_view());
  // Only for messages: a disk too full for it does not undo the lock.
  const std::string holder =
      fmt::format("process {} on {}{}\n", ::getpid(), host_name(), run_id.empty() ? "" : " (run " + run_id + ")");
  if (::ftruncate(descriptor_, 0) == 0) (void)posix_file_system().write(descriptor_, holder.data(), holder.size());
}

void LockFile::take() {
  do {
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) {
    const int code = errno;
    const std::string message = fmt::format("cannot make the lock file {}: {}", path_, std::strerror(code));
    if (code == ENOSPC || code == EDQUOT || code == EMFILE || code == ENFILE || code == EIO)
      throw ResourceError(message);
    throw UsageError(message);
  }
  if (const int code = lock_without_waiting(descriptor_); code != 0) {
    const std::string holder = holder_of(descriptor_);
    release(false);
    if (code == EWOULDBLOCK) {
      throw LockedError(fmt::format("{} is held by {}: wait for it to end, or write somewhere else", path_, holder));
    }
    throw ResourceError(fmt::format("cannot lock {}: {}", path_, std::strerror(code)));
  }
}

bool LockFile::is_the_one_in_view() const noexcept {
  struct stat mine {};
  struct stat there {};
  return ::fstat(descriptor_, &mine) == 0 && ::stat(path_.c_str(), &there) == 0 && mine.st_ino == there.st_ino &&
         mine.st_dev == there.st_dev;
}

void LockFile::note(const std::string& text) const {
  const std::string line = text + "\n";
  std::size_t done = 0;
  while (done < line.size()) {
    const int64_t written = posix_file_system().write(descriptor_, line.data() + done, line.size() - done);
    if (written == -EINTR) continue;
    if (written <= 0)
      throw ResourceError(fmt::format("cannot write {}: {}", path_, std::strerror(static_cast<int>(-written))));
    done += static_cast<std::size_t>(written);
  }
}

LockFile::~LockFile() { release(passes_); }

LockFile::LockFile(LockFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)), passes_(other.passes_) {}

LockFile& LockFile::operator=(LockFile&& other) noexcept {
  if (this != &other) {
    release(passes_);
    path_ = std::move(other.path_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    passes_ = other.passes_;
  }
  return *this;
}

void LockFile::release(bool remove) noexcept {
  if (descriptor_ < 0) return;
  if (remove) (void)::unlink(path_.c_str());
  ::close(std::exchange(descriptor_, -1));
}

namespace {

/// The text of a lock file that somebody holds; none where nobody does.
std::optional<std::string> held_text(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  const bool held = lock_without_waiting(descriptor) == EWOULDBLOCK;
  std::string text, piece(4096, '\0');
  for (ssize_t size = 1; held && size > 0;) {
    size = ::read(descriptor, piece.data(), piece.size());
    if (size > 0) text.append(piece, 0, static_cast<std::size_t>(size));
  }
  ::close(descriptor);
  return held ? std::optional(text) : std::nullopt;
}

}  // namespace

std::optional<std::string> lock_holder(const std::string& path) {
  const auto text = held_text(path);
  if (!text) return std::nullopt;
  const std::string holder = text->substr(0, text->find('\n'));
  return holder.empty() ? "another process" : holder;
}

std::optional<std::string> lock_note(const std::string& path) {
  const auto text = held_text(path);
  if (!text) return std::nullopt;
  const std::size_t line = text->find('\n');
  if (line == std::string::npos || line + 1 >= text->size()) return std::nullopt;
  return text->substr(line + 1, text->find('\n', line + 1) - line - 1);
}

}  // namespace stride
