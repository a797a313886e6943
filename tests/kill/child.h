// A process that is there to be killed.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace stride::kill {

/// A forked process with a pipe from its standard output, in a process group of its own.
class Child final {
 public:
  /// Runs `body` in the child, then ends it; `body` gets the pipe's end to write to.
  explicit Child(const std::function<void(int pipe)>& body);
  /// Runs a command line.
  explicit Child(const std::vector<std::string>& words);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// kill -9 of the whole group.
  void kill() const;
  /// Whether it has ended by itself, without waiting.
  [[nodiscard]] bool ended() const;
  /// Waits; true for exit code 0.
  [[nodiscard]] bool wait();
  /// Everything that it wrote, once it and whatever it started has ended.
  [[nodiscard]] std::string output() const;

 private:
  void start(const std::function<void(int pipe)>& body);

  pid_t pid_ = -1;
  int pipe_ = -1;
};

}  // namespace stride::kill
