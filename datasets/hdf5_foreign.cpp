// Damaged HDF5 files crash libhdf5 (18 of 5,000 mutated files did), so files without a checksum are read
// by a child process that may.
#include "datasets/hdf5.h"
#include "datasets/hdf5_handle.h"
#include "framework/error.h"
#include "framework/file.h"

#include <ATen/ATen.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace stride::hdf5 {
namespace {

constexpr unsigned kSeconds = 20;                  // a sound file needs far less,
constexpr std::size_t kBytesASecond = 20'000'000;  // unless it is large
constexpr int64_t kMaxRank = 32;                   // HDF5's own limit

/// What the child sends first; then the shape, then the values; or the text of an error.
struct Header {
  int64_t worked = 0;
  int64_t dtype = 0;
  int64_t rank = 0;
  int64_t bytes = 0;
};

bool send(int pipe, const void* bytes, std::size_t size) {
  const auto* at = static_cast<const char*>(bytes);
  while (size > 0) {
    const ssize_t done = ::write(pipe, at, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

bool receive(int pipe, void* bytes, std::size_t size) {
  auto* at = static_cast<char*>(bytes);
  while (size > 0) {
    const ssize_t done = ::read(pipe, at, size);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    at += done;
    size -= static_cast<std::size_t>(done);
  }
  return true;
}

/// Crashes are expected here: no core file, no handlers of the parent's, no way to hang.
void confine(std::size_t file_size) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM, SIGINT, SIGTERM, SIGPIPE})
    ::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::alarm(kSeconds + static_cast<unsigned>(file_size / kBytesASecond));
}

[[noreturn]] void read_in_child(std::string_view bytes, const std::string& path, const std::string& name, int pipe) {
  confine(bytes.size());
  try {
    const Tensor values = ImageReader(bytes, path).read(name);
    const Header header{1, static_cast<int64_t>(values.scalar_type()), values.dim(),
                        static_cast<int64_t>(values.nbytes())};
    const bool sent = send(pipe, &header, sizeof header) &&
                      send(pipe, values.sizes().data(), static_cast<std::size_t>(values.dim()) * sizeof(int64_t)) &&
                      send(pipe, values.const_data_ptr(), values.nbytes());
    ::_exit(sent ? 0 : 1);
  } catch (const std::exception& error) {
    const std::string_view text = error.what();
    const Header header{0, 0, 0, static_cast<int64_t>(text.size())};
    (void)(send(pipe, &header, sizeof header) && send(pipe, text.data(), text.size()));
    ::_exit(1);
  }
}

/// Reaps the child and closes the pipe, whatever happens.
class Child final {
 public:
  Child(pid_t pid, int pipe) : pid_(pid), pipe_(pipe) {}
  ~Child() {
    ::close(pipe_);  // a child that still writes gets SIGPIPE
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  pid_t pid_;
  int pipe_;
};

Tensor receive_values(int pipe, const std::string& path) {
  const std::string unreadable = fmt::format("{}: libhdf5 cannot read it; the file is damaged", path);
  Header header;
  if (!receive(pipe, &header, sizeof header)) throw InputError(unreadable);
  if (header.worked == 0) {
    std::string text(static_cast<std::size_t>(header.bytes), '\0');
    throw InputError(receive(pipe, text.data(), text.size()) ? text : unreadable);
  }
  if (header.rank < 0 || header.rank > kMaxRank) throw InputError(unreadable);
  std::vector<int64_t> shape(static_cast<std::size_t>(header.rank));
  if (!receive(pipe, shape.data(), shape.size() * sizeof(int64_t))) throw InputError(unreadable);
  Tensor values = at::empty(shape, at::TensorOptions().dtype(static_cast<at::ScalarType>(header.dtype)));
  if (!receive(pipe, values.mutable_data_ptr(), values.nbytes())) throw InputError(unreadable);
  return values;
}

}  // namespace

Tensor read_foreign_dataset(const std::string& path, const std::string& name) {
  const std::string bytes = read_file(path);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw ResourceError(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
  // The child must not find libhdf5 in use by a thread that it does not have.
  std::unique_lock alone(library_lock());
  const pid_t pid = ::fork();
  alone.unlock();
  if (pid == 0) {
    ::close(ends[0]);
    read_in_child(bytes, path, name, ends[1]);
  }
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    throw ResourceError(fmt::format("cannot start a process to read {}", path));
  }
  const Child child(pid, ends[0]);
  return receive_values(ends[0], path);
}

}  // namespace stride::hdf5
