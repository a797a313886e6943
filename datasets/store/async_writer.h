// A trajectory writer on a thread of its own.
#pragma once

#include "datasets/store/bounded_queue.h"
#include "datasets/store/host_copy.h"
#include "datasets/store/trajectory_writer.h"

#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace stride {

/// Seeds that became durable, and how many the store then held.
struct Durable {
  std::vector<int64_t> seeds;
  int64_t total = 0;
};

/// Takes finished batches and writes them while their sampler goes on. At most `waiting` batches lie in the queue, one
/// more is being written: memory is bounded, and a sampler that is faster than the disk waits for it. Used by one
/// thread; the writer is the object's alone until it is closed.
class AsyncTrajectoryWriter final {
 public:
  /// Throws UsageError when `waiting` is not positive.
  explicit AsyncTrajectoryWriter(TrajectoryWriter& writer, int64_t waiting = 2);
  /// Without close: what was not sealed yet is dropped, as if the process had died.
  ~AsyncTrajectoryWriter();
  AsyncTrajectoryWriter(const AsyncTrajectoryWriter&) = delete;
  AsyncTrajectoryWriter& operator=(const AsyncTrajectoryWriter&) = delete;

  /// Hands a batch over, on any device; its tensors must not be written to any more. Throws what
  /// TrajectoryWriter::append threw on the thread, for this batch or an earlier one; after that every call throws it.
  void push(const TrajectoryBatch& batch);
  /// What became durable since it was last asked for.
  [[nodiscard]] std::vector<Durable> take_durable();
  /// Writes what is queued and seals. Throws as push.
  void close();

 private:
  void run();
  void note(std::vector<int64_t> seeds);
  void rethrow();

  TrajectoryWriter& writer_;
  BoundedQueue<HostCopy> queue_;
  std::mutex mutex_;
  std::vector<Durable> durable_;
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace stride
