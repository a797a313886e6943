// System calls and allocations that fail when they are told to: functions of libc, interposed. The library is linked
// before libc, or preloaded into a program (LD_PRELOAD) and told by its environment:
//   STRIDE_FAULT_FOLDER=/run STRIDE_FAULT_NTH=17 STRIDE_FAULT=no_space
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

namespace stride::faults {

enum class Fault : int {
  none,
  no_space,      ///< ENOSPC, not done
  io_error,      ///< EIO, not done (a descriptor is closed all the same)
  interrupted,   ///< EINTR, not done (a descriptor is closed all the same)
  short_write,   ///< a write does half of what was asked; other calls work
  disk_full,     ///< from this call on, whatever needs space is ENOSPC
  kill,          ///< SIGKILL before the call
  signal,        ///< `signal` to the process before the call
  group_signal,  ///< the same to its process group
};

/// Which calls count: open, write, fsync, close, rename, mkdir, unlink, link and ftruncate on what lies below `folder`.
struct CallPlan {
  std::string folder;
  int nth = 0;  ///< from 1; 0: none suffers
  Fault fault = Fault::none;
  int signal = 0;
  bool record = false;  ///< keep what was done, for recorded_calls
};

/// Which allocations count: those of at least `size` bytes.
struct AllocationPlan {
  std::size_t size = 0;
  int nth = 0;
  int report = -1;  ///< descriptor that gets the stack of the one that failed
};

/// Lives in memory that the process which forks shares with the one that suffers.
struct Counters {
  std::atomic<int> calls = 0, allocations = 0;
  std::atomic<bool> suffered = false;
  char kinds[1 << 15] =
      {};  ///< o(pen for reading), c(reate), w(rite), s(ync), x (close), r(ename), m(kdir), u(nlink), …
};

/// A change of the file system, or a sync.
struct Call {
  char kind = 0;            ///< as in Counters::kinds; S: sync of a folder, t: truncate
  int file = 0;             ///< of c, w, s, t: which opening it belongs to
  int flags = 0;            ///< of c
  std::string path, other;  ///< absolute; `other`: where r and l lead
  std::string bytes;        ///< of w
};

void arm(const CallPlan& plan, Counters* counters);
void arm(const AllocationPlan& plan, Counters* counters);
void disarm();
/// What was done since arm(), in order.
[[nodiscard]] std::vector<Call> recorded_calls();

}  // namespace stride::faults
