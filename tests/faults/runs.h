// `stride` in a forked process: as main() runs it, without the second that loading LibTorch takes.
#pragma once

#include "tests/tools/fault_calls.h"

#include <functional>
#include <string>
#include <vector>

namespace stride::testing {

using Words = std::vector<std::string>;
Words operator+(Words a, const Words& b);

/// How a process came to its end.
struct Ended {
  int code = -1;            ///< exit status; −1 where a signal ended it
  int signal = 0;           ///< that signal
  bool hung = false;        ///< it was ended after kPatience
  double seconds = 0;       ///< from its start
  double after_signal = 0;  ///< from the moment that Run::send asked for
  int calls = 0, allocations = 0;
  bool suffered = false;  ///< the call or allocation that was to fail came
  std::string kinds;      ///< of the calls: faults::Counters
  std::string out, err;
  std::vector<faults::Call> done;  ///< with CallPlan::record
  std::string stack;               ///< of the allocation that failed
};
inline constexpr double kPatience = 120;

struct Run {
  std::string folder;  ///< working directory
  Words words;
  faults::CallPlan calls = {};
  faults::AllocationPlan allocations = {};
  int send = 0;             ///< a signal,
  double send_after = 0;    ///< so many seconds after the start,
  bool to_group = false;    ///< to its process group
  std::string closed = {};  ///< which of the descriptors "012" are closed
  std::string out = {};     ///< where standard output goes instead of a file; "|": a pipe whose reader has gone
  std::string err = {};
  std::function<void()> meanwhile = {};  ///< called once the process runs
};

[[nodiscard]] Ended run(const Run& what);

/// A process that has been started and not waited for.
class Started final {
 public:
  explicit Started(const Run& what);
  ~Started();
  Started(const Started&) = delete;
  Started& operator=(const Started&) = delete;
  void send(int signal, bool to_group = false) const;
  [[nodiscard]] bool running() const;
  [[nodiscard]] Ended wait();

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace stride::testing
