// Random pairs of points along stored trajectories, for training.
#pragma once

#include "datasets/store/shard_set.h"

#include <memory>
#include <string>

namespace stride {

/// One batch; rows on the device of the loader, states in the dtype of the store.
struct StepPairs {
  Tensor from, to;              ///< `[B, …]` states of one trajectory at two points, the second later
  Tensor denoised;              ///< `[B, …]` the first evaluation at `from`
  Tensor sigma_from, sigma_to;  ///< float64 `[B]`
  Tensor point_from, point_to;  ///< int64 `[B]` places among the stored points
  Tensor seed;                  ///< int64 `[B]`
};

struct BatchesOptions {
  int64_t batch = 256;
  uint64_t seed = 0;
  int64_t largest_gap = 0;  ///< points between the two at most; 0: any
  int threads = 2;          ///< that gather
  int ahead = 2;  ///< batches that are ready before they are asked for, at most; on a GPU so many pinned buffers
  at::Device device = at::kCPU;
  int64_t first_step = 0;  ///< a training that goes on continues here

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// Draws trajectories that ended well and pairs of their points, uniformly and with replacement. Rows are copied
/// straight from the mapped shards, each verified when it is first touched; the store is never in memory as a whole.
/// Batch `step` is a function of the store, the seed and `step` alone, however many threads there are.
class TrajectoryBatches final {
 public:
  /// Throws UsageError for invalid options, an empty store and one without states.
  TrajectoryBatches(std::shared_ptr<const ShardSet> shards, BatchesOptions options);
  ~TrajectoryBatches();
  TrajectoryBatches(const TrajectoryBatches&) = delete;
  TrajectoryBatches& operator=(const TrajectoryBatches&) = delete;

  /// The next batch. Used by one thread. Throws InputError when a shard is damaged, and where the
  /// store has no trajectory that ended well.
  [[nodiscard]] StepPairs next();
  /// Bytes of states in one batch.
  [[nodiscard]] int64_t bytes() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
