// Running the real executable.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace stride::testing {

// What a program wrote; nothing for a device, which need not end.
inline std::string slurp(const std::string& path) {
  if (!std::filesystem::is_regular_file(path)) return {};  // /dev/full
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Outcome {
  int code = -1;  ///< exit status; 1000 + signal when a signal ended it
  std::string out, err;
};

/// A child process whose output goes to files in `folder`, which is its working directory too.
class Process final {
 public:
  Process(const std::vector<std::string>& words, const std::string& folder, const std::string& stdout_path = "")
      : out_(stdout_path.empty() ? folder + "/stdout.txt" : stdout_path), err_(folder + "/stderr.txt") {
    pid_ = fork();
    if (pid_ < 0) throw std::runtime_error("fork failed");
    if (pid_ > 0) return;
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const int out = open(out_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    const int err = open(err_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (out < 0 || err < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0 || chdir(folder.c_str()) != 0) _exit(126);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  ~Process() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  void send(int signal) const { ::kill(pid_, signal); }

  [[nodiscard]] Outcome wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = 0;
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), slurp(out_), slurp(err_)};
  }

 private:
  std::string out_, err_;
  pid_t pid_ = 0;
};

/// `stride words...` in `folder`, to its end.
inline Outcome run_stride(const std::string& folder, std::vector<std::string> words) {
  const std::string program = STRIDE_EXECUTABLE;  // from a literal g++ 12 warns of its own inlining
  words.insert(words.begin(), program);
  return Process(words, folder).wait();
}

/// Waits up to 60 s for `true`.
inline bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 6000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace stride::testing
