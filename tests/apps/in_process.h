// The command line without a process of its own: a start of LibTorch takes a second, and campaigns take thousands of
// runs.
#pragma once

#include "apps/program.h"
#include "tests/apps/process.h"

#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace stride::testing {

/// While it lives, what is written to a standard stream goes to a file.
class Redirected final {
 public:
  Redirected(std::FILE* stream, const std::string& path) : stream_(stream), number_(fileno(stream)) {
    std::fflush(stream_);
    saved_ = dup(number_);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (saved_ < 0 || file < 0 || dup2(file, number_) < 0)
      throw std::runtime_error("cannot redirect output to " + path);
    ::close(file);
  }
  ~Redirected() {
    std::fflush(stream_);
    (void)dup2(saved_, number_);
    ::close(saved_);
  }
  Redirected(const Redirected&) = delete;
  Redirected& operator=(const Redirected&) = delete;

 private:
  std::FILE* stream_;
  int number_, saved_ = -1;
};

/// `stride words...` in this process and its working folder: paths are absolute. Output goes through files in `folder`.
inline Outcome run_here(const std::string& folder, const std::vector<std::string>& words) {
  const std::string out = folder + "/stdout.txt", err = folder + "/stderr.txt";
  Outcome outcome;
  {
    const Redirected to_out(stdout, out), to_err(stderr, err);
    outcome.code = run_program(words);
  }
  outcome.out = slurp(out);
  outcome.err = slurp(err);
  return outcome;
}

}  // namespace stride::testing
