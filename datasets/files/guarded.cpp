#include "datasets/files/guarded.h"

#include "framework/error.h"
#include "framework/out_of_memory.h"
#include "framework/stopped.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <utility>

namespace stride {
namespace {

constexpr unsigned kSeconds = 20;                  // a sound file needs far less,
constexpr std::size_t kBytesASecond = 20'000'000;  // unless it is large
constexpr char kAnswer = '+';                      // what the child sends first,
constexpr char kError = '!';                       // or this and the text of an InputError
constexpr int kDamaged = 1, kNoMemory = 2;         // exit codes of the child

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

std::size_t receive(int pipe, void* bytes, std::size_t size) {
  auto* at = static_cast<char*>(bytes);
  std::size_t have = 0;
  while (have < size) {
    const ssize_t done = ::read(pipe, at + have, size - have);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) break;
    have += static_cast<std::size_t>(done);
  }
  return have;
}

std::string receive_rest(const GuardReceive& receive) {
  std::string out, piece(std::size_t{1} << 16, '\0');
  std::size_t size = piece.size();
  while (size == piece.size()) {
    size = receive(piece.data(), piece.size());
    out.append(piece, 0, size);
  }
  return out;
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
  if (const int null = ::open("/dev/null", O_WRONLY); null >= 0) ::dup2(null, STDERR_FILENO);  // libraries' last words
  ::alarm(kSeconds + static_cast<unsigned>(file_size / kBytesASecond));
}

/// Whether an exception that is being handled says that memory ran out.
bool is_about_memory() {
  try {
    throw;
  } catch (const ResourceError&) {
    return true;
  } catch (const std::exception& error) {
    return is_out_of_memory(error);
  } catch (...) {
    return false;
  }
}

/// What a sound file of this size may need.
bool has_memory(std::size_t file_size) {
  if (file_size > std::size_t{PTRDIFF_MAX} / 4) return false;  // nothing that malloc may be asked for
  const std::unique_ptr<void, decltype(&std::free)> some(std::malloc(2 * file_size + (std::size_t{1} << 20)),
                                                         &std::free);
  return some != nullptr;
}

[[noreturn]] void child(const std::function<void(const GuardSend&)>& work, std::size_t file_size, int pipe) {
  confine(file_size);
  bool begun = false;
  const GuardSend tell = [&](const void* bytes, std::size_t size) {
    const bool first = !std::exchange(begun, true);
    if ((first && !send(pipe, &kAnswer, 1)) || !send(pipe, bytes, size)) ::_exit(kDamaged);
  };
  for (bool again = false;; again = true) {
    try {
      work(tell);
      tell(nullptr, 0);
      ::_exit(0);
    } catch (const InputError& error) {
      const std::string text = kError + std::string(error.what());
      ::_exit(!begun && send(pipe, text.data(), text.size()) ? 0 : kDamaged);
    } catch (...) {
      if (!is_about_memory()) ::_exit(kDamaged);
      // A damaged file asks for memory that nobody has; a sound one may find some the second time.
      if (begun || again) ::_exit(has_memory(file_size) && !begun ? kDamaged : kNoMemory);
    }
  }
}

/// Reaps the child and closes the pipe, whatever happens.
class Child final {
 public:
  Child(pid_t pid, int pipe) : pid_(pid), pipe_(pipe) {}
  ~Child() { (void)end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// How it ended, as waitpid says it.
  int end() {
    if (pid_ <= 0) return status_;
    ::close(pipe_);  // a child that still writes gets SIGPIPE
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status_;
  }
  [[nodiscard]] bool ended_well() { return end() == 0; }

  /// Throws what its end says; returns where that is nothing but damage.
  void end_for_another_reason() {
    const int status = end();
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    // A signal to the whole group, such as Ctrl-C; and what the kernel sends where memory is short.
    if (signal == SIGINT || signal == SIGTERM) throw Stopped();
    if (signal == SIGKILL || (WIFEXITED(status) && WEXITSTATUS(status) == kNoMemory))
      throw ResourceError("no memory to read a file at arm's length; close other programs, or read a smaller file");
  }

 private:
  pid_t pid_;
  int pipe_;
  int status_ = -1;
};

/// In the child as in the parent, whose thread it is a copy of, the lock is free again afterwards.
pid_t fork_beside(std::mutex* library) {
  if (library == nullptr) return ::fork();
  const std::lock_guard alone(*library);
  return ::fork();
}

}  // namespace

void guarded_stream(const std::function<void(const GuardSend&)>& work,
                    const std::function<void(const GuardReceive&)>& take, const GuardOptions& options) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw ResourceError(fmt::format("no pipe: {}", std::strerror(errno)));
  const pid_t pid = fork_beside(options.library);
  if (pid == 0) {
    ::close(ends[0]);
    child(work, options.file_size, ends[1]);
  }
  ::close(ends[1]);
  if (pid < 0) {
    ::close(ends[0]);
    throw ResourceError("cannot start a process to read a file at arm's length");
  }
  Child reader(pid, ends[0]);
  const GuardReceive from_child = [&](void* bytes, std::size_t size) { return receive(ends[0], bytes, size); };
  try {
    char how = 0;
    if (from_child(&how, 1) != 1) throw InputError(options.damaged);
    if (how == kError) {
      const std::string text = receive_rest(from_child);
      throw InputError(reader.ended_well() ? text : options.damaged);
    }
    take(from_child);
    if (!reader.ended_well()) throw InputError(options.damaged);
  } catch (const InputError&) {
    reader.end_for_another_reason();
    throw;
  }
}

std::string guarded(const std::function<std::string()>& work, const GuardOptions& options) {
  std::string out;
  guarded_stream(
      [&](const GuardSend& tell) {
        const std::string text = work();
        tell(text.data(), text.size());
      },
      [&](const GuardReceive& from_child) { out = receive_rest(from_child); }, options);
  return out;
}

}  // namespace stride
