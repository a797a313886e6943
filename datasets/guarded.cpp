#include "datasets/guarded.h"

#include "framework/error.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace stride {
namespace {

constexpr unsigned kSeconds = 20;                  // a sound file needs far less,
constexpr std::size_t kBytesASecond = 20'000'000;  // unless it is large

bool send(int pipe, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t size = ::write(pipe, bytes.data() + done, bytes.size() - done);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    done += static_cast<std::size_t>(size);
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
  if (const int null = ::open("/dev/null", O_WRONLY); null >= 0) ::dup2(null, STDERR_FILENO);  // libraries' last words
  ::alarm(kSeconds + static_cast<unsigned>(file_size / kBytesASecond));
}

// The last byte says how it went: one that is missing means a crash.
[[noreturn]] void child(const std::function<std::string()>& work, std::size_t file_size, int pipe) {
  confine(file_size);
  std::string out;
  try {
    out = work() + "+";
  } catch (const InputError& error) {
    out = error.what() + std::string("!");
  } catch (const std::exception&) {
    ::_exit(1);
  }
  ::_exit(send(pipe, out) ? 0 : 1);
}

}  // namespace

std::string guarded(const std::function<std::string()>& work, std::size_t file_size, const std::string& damaged) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw ResourceError(fmt::format("no pipe: {}", std::strerror(errno)));
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::close(ends[0]);
    child(work, file_size, ends[1]);
  }
  ::close(ends[1]);
  std::string out, piece(std::size_t{1} << 16, '\0');
  while (pid > 0) {
    const ssize_t size = ::read(ends[0], piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    out.append(piece, 0, static_cast<std::size_t>(size));
  }
  ::close(ends[0]);
  if (pid < 0) throw ResourceError("cannot start a process to read a file at arm's length");
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0 || out.empty()) throw InputError(damaged);
  const char how = out.back();
  out.pop_back();
  if (how == '!') throw InputError(out);
  return out;
}

}  // namespace stride
