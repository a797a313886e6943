#include "datasets/files/mapped_file.h"

#include "framework/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace stride {
namespace {

[[noreturn]] void fail(const std::string& path, int code) {
  const std::string reason = code == EINVAL ? "it is a pipe or a device, no file" : std::strerror(code);
  const std::string message = fmt::format("cannot read {}: {}", path, reason);
  if (code == ENOMEM || code == EMFILE || code == ENFILE) throw ResourceError(message);
  throw InputError(message);
}

int open_for_reading(const std::string& path) {
  while (true) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor >= 0) return descriptor;
    if (errno != EINTR) fail(path, errno);
  }
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const int descriptor = open_for_reading(path);
  struct stat about {};
  void* start = nullptr;
  int code = 0;
  if (::fstat(descriptor, &about) != 0) {
    code = errno;
  } else if (!S_ISREG(about.st_mode)) {
    code = EINVAL;
  } else if (about.st_size > 0) {
    start = ::mmap(nullptr, static_cast<std::size_t>(about.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (start == MAP_FAILED) code = errno;
  }
  ::close(descriptor);
  if (code != 0) fail(path, code);
  if (start != nullptr) bytes_ = {static_cast<const char*>(start), static_cast<std::size_t>(about.st_size)};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

void MappedFile::will_read() const noexcept {
  if (!bytes_.empty()) (void)::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_WILLNEED);
}

}  // namespace stride
