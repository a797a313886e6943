#include "tests/kill/child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace stride::kill {
namespace {

// Acknowledgements must not make the writer wait: as much as an unprivileged process may ask for.
constexpr int kPipeBytes = 1 << 20;

}  // namespace

Child::Child(const std::function<void(int pipe)>& body) { start(body); }

Child::Child(const std::vector<std::string>& words) {
  start([&](int pipe) {
    ::dup2(pipe, STDOUT_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  });
}

void Child::start(const std::function<void(int pipe)>& body) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("cannot make a pipe");
  (void)::fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("cannot fork");
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::close(ends[0]);
    try {
      body(ends[1]);
    } catch (const std::exception& error) {
      (void)!::write(STDERR_FILENO, error.what(), std::string_view(error.what()).size());
      (void)!::write(STDERR_FILENO, "\n", 1);
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::setpgid(pid_, pid_);
  ::close(ends[1]);
  pipe_ = ends[0];
}

Child::~Child() {
  if (pid_ > 0) {
    kill();
    (void)wait();
  }
  ::close(pipe_);
}

void Child::kill() const {
  if (pid_ > 0) ::kill(-pid_, SIGKILL);
}

bool Child::ended() const {
  siginfo_t about{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &about, WEXITED | WNOHANG | WNOWAIT) == 0 && about.si_pid == pid_;
}

bool Child::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::string Child::output() const {
  std::string text;
  std::array<char, 65536> piece{};
  while (true) {
    const ssize_t size = ::read(pipe_, piece.data(), piece.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(size));
  }
}

}  // namespace stride::kill
