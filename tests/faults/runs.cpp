#include "tests/faults/runs.h"

#include "apps/cli/streams.h"
#include "apps/program.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace stride::testing {
namespace {

using Clock = std::chrono::steady_clock;

// Thousands of small runs: in memory where there is room.
[[maybe_unused]] const bool in_memory = [] {
  std::error_code none;
  const auto space = std::filesystem::space("/dev/shm", none);
  return !none && space.available > (std::uintmax_t{400} << 20) && ::setenv("TMPDIR", "/dev/shm", 0) == 0;
}();

std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void put(std::ostream& out, const std::string& text) {
  const std::size_t size = text.size();
  out.write(reinterpret_cast<const char*>(&size), sizeof size);
  out.write(text.data(), static_cast<std::streamsize>(size));
}

std::string get(std::istream& in) {
  std::size_t size = 0;
  in.read(reinterpret_cast<char*>(&size), sizeof size);
  std::string text(in ? size : 0, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

void save_calls(const std::vector<faults::Call>& calls, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  for (const faults::Call& call : calls) {
    out.put(call.kind);
    out.write(reinterpret_cast<const char*>(&call.file), sizeof call.file);
    out.write(reinterpret_cast<const char*>(&call.flags), sizeof call.flags);
    for (const std::string* text : {&call.path, &call.other, &call.bytes}) put(out, *text);
  }
}

std::vector<faults::Call> load_calls(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<faults::Call> calls;
  for (char kind = 0; in.get(kind);) {
    faults::Call call;
    call.kind = kind;
    in.read(reinterpret_cast<char*>(&call.file), sizeof call.file);
    in.read(reinterpret_cast<char*>(&call.flags), sizeof call.flags);
    for (std::string* text : {&call.path, &call.other, &call.bytes}) *text = get(in);
    calls.push_back(std::move(call));
  }
  return calls;
}

int opened(const std::string& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags, 0644);
  if (descriptor < 0) ::_exit(126);
  return descriptor;
}

/// A descriptor for the end of a pipe that nobody reads.
int broken_pipe() {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) ::_exit(126);
  ::close(ends[0]);
  return ends[1];
}

int sink(const std::string& where, const std::string& file) {
  if (where == "|") return broken_pipe();
  return opened(where.empty() ? file : where, O_WRONLY | O_CREAT | O_TRUNC);
}

}  // namespace

Words operator+(Words a, const Words& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

struct Started::Impl {
  Run what;
  std::string own;  ///< a folder beside the run's, for what it leaves for its parent
  faults::Counters* counters = nullptr;
  pid_t pid = 0;
  Clock::time_point begin, sent;
  bool has_sent = false;

  explicit Impl(const Run& run) : what(run) {
    own = (std::filesystem::temp_directory_path() / "stride-run-XXXXXX").string();
    if (::mkdtemp(own.data()) == nullptr) throw std::runtime_error("cannot make " + own);
    void* const shared =
        ::mmap(nullptr, sizeof(faults::Counters), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) throw std::runtime_error("no shared memory");
    counters = new (shared) faults::Counters();
    begin = Clock::now();
    std::fflush(nullptr);  // what this process has still to write is not the child's
    pid = ::fork();
    if (pid < 0) throw std::runtime_error("fork failed");
    if (pid == 0) child();
    ::setpgid(pid, pid);
  }
  ~Impl() {
    if (pid > 0) {
      ::kill(-pid, SIGKILL);
      ::waitpid(pid, nullptr, 0);
    }
    ::munmap(counters, sizeof(faults::Counters));
    std::error_code ignored;
    std::filesystem::remove_all(own, ignored);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  [[noreturn]] void child() {
    ::setpgid(0, 0);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL})
      ::signal(signal, SIG_DFL);  // Catch2 has handlers of its own
    if (::chdir(what.folder.c_str()) != 0) ::_exit(126);
    const int in = opened("/dev/null", O_RDONLY);
    const int out = sink(what.out, own + "/out"), err = sink(what.err, own + "/err");
    const int report = opened(own + "/stack", O_WRONLY | O_CREAT | O_CLOEXEC);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    for (const int descriptor : {in, out, err}) ::close(descriptor);
    for (const char digit : what.closed) ::close(digit - '0');
    int code = 125;
    try {
      open_standard_streams();
      if (what.calls.nth > 0 || what.calls.record || !what.calls.folder.empty()) faults::arm(what.calls, counters);
      if (what.allocations.size > 0) {
        what.allocations.report = report;
        faults::arm(what.allocations, counters);
      }
      code = run_program(what.words);
      std::fflush(nullptr);
      faults::disarm();
      if (what.calls.record) save_calls(faults::recorded_calls(), own + "/calls");
    } catch (...) {
      ::_exit(125);
    }
    ::_exit(code);
  }
};

Started::Started(const Run& what) : impl_(new Impl(what)) {}
Started::~Started() { delete impl_; }

void Started::send(int signal, bool to_group) const {
  impl_->sent = Clock::now();
  impl_->has_sent = true;
  ::kill(to_group ? -impl_->pid : impl_->pid, signal);
}

bool Started::running() const {
  siginfo_t about{};
  return ::waitid(P_PID, static_cast<id_t>(impl_->pid), &about, WEXITED | WNOHANG | WNOWAIT) == 0 && about.si_pid == 0;
}

Ended Started::wait() {
  Ended ended;
  int status = 0;
  while (::waitpid(impl_->pid, &status, WNOHANG) == 0) {
    if (std::chrono::duration<double>(Clock::now() - impl_->begin).count() > kPatience) {
      ended.hung = true;
      ::kill(-impl_->pid, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const auto now = Clock::now();
  ::kill(-impl_->pid, SIGKILL);  // what it may have left behind
  impl_->pid = 0;
  ended.seconds = std::chrono::duration<double>(now - impl_->begin).count();
  if (impl_->has_sent) ended.after_signal = std::chrono::duration<double>(now - impl_->sent).count();
  if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
  const faults::Counters& counters = *impl_->counters;
  ended.calls = counters.calls;
  ended.allocations = counters.allocations;
  ended.suffered = counters.suffered;
  ended.kinds =
      std::string(counters.kinds, static_cast<std::size_t>(std::min<int>(ended.calls, sizeof counters.kinds)));
  ended.out = slurp(impl_->own + "/out");
  ended.err = slurp(impl_->own + "/err");
  ended.stack = slurp(impl_->own + "/stack");
  if (impl_->what.calls.record) ended.done = load_calls(impl_->own + "/calls");
  return ended;
}

Ended run(const Run& what) {
  Started started(what);
  if (what.meanwhile) what.meanwhile();
  if (what.send != 0) {
    const auto moment = Clock::now() + std::chrono::duration<double>(what.send_after);
    while (Clock::now() < moment && started.running()) std::this_thread::sleep_for(std::chrono::microseconds(200));
    if (started.running()) started.send(what.send, what.to_group);
  }
  return started.wait();
}

}  // namespace stride::testing
