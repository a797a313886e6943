// Recording trajectories so that a kill at any moment loses nothing that was acknowledged.
#pragma once

#include "datasets/store/store_folder.h"
#include "datasets/store/trajectory.h"

#include <set>
#include <string>
#include <vector>

namespace stride {

struct WriterOptions {
  int64_t shard_bytes = int64_t{64} << 20;  ///< a shard is sealed when it has so many bytes,
  int64_t shard_rows = 4096;                ///< or so many trajectories
  std::string run_id;                       ///< who holds the lock, for messages
  [[nodiscard]] std::string invalid_reason() const;
};

/// Adds trajectories to a store. What `append` and `seal` return is on the disk; what they did not return
/// is lost when the process dies, and at most a shard of it exists.
class TrajectoryWriter final {
 public:
  /// Creates the store, or opens it to go on. Throws as StoreFolder; UsageError on invalid arguments.
  TrajectoryWriter(std::string folder, TrajectoryConfig config, const WriterOptions& options = {},
                   FileSystem& files = posix_file_system());

  /// Takes trajectories of new seeds and seals shards as they fill. Returns the seeds that became durable
  /// in this call. Throws UsageError when the batch does not fit the config or has a seed that is there
  /// already; ResourceError when disk, quota or file size limit is met: then the store is whole, and holds
  /// what was returned before.
  std::vector<int64_t> append(const TrajectoryBatch& batch);

  /// Seals what is pending. Returns the seeds that became durable.
  std::vector<int64_t> seal();

  [[nodiscard]] const TrajectoryConfig& config() const noexcept { return config_; }
  /// Whether a seed is in the store, or pending.
  [[nodiscard]] bool contains(int64_t seed) const {
    return folder_.seeds().contains(seed) || pending_seeds_.contains(seed);
  }
  /// Those of `seeds` that are still to be recorded, in their order.
  [[nodiscard]] std::vector<int64_t> missing(const std::vector<int64_t>& seeds) const;
  /// Durable trajectories.
  [[nodiscard]] int64_t size() const noexcept { return folder_.seeds().size(); }
  /// Files that opening removed: a killed writer's.
  [[nodiscard]] const std::vector<std::string>& removed() const noexcept { return folder_.removed(); }
  [[nodiscard]] const std::vector<std::string>& adopted() const noexcept { return folder_.adopted(); }

 private:
  std::vector<int64_t> seal_rows(int64_t count);

  TrajectoryConfig config_;
  int64_t rows_a_shard_;
  StoreFolder folder_;
  std::vector<TrajectoryBatch> pending_;
  std::set<int64_t> pending_seeds_;
};

}  // namespace stride
