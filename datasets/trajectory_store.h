// Reading, joining and checking trajectory stores.
#pragma once

#include "datasets/shard.h"
#include "datasets/trajectory.h"

#include <string>
#include <vector>

namespace stride {

/// A store that is open for reading, as it was at that moment; a writer may go on meanwhile. Safe to use
/// from several threads.
class TrajectoryStore final {
 public:
  /// Verifies the checksum of every shard before anything else looks at it. Throws InputError, naming the
  /// file, on whatever is missing or damaged.
  explicit TrajectoryStore(std::string folder);

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  [[nodiscard]] const TrajectoryConfig& config() const noexcept { return config_; }
  [[nodiscard]] int64_t size() const noexcept { return static_cast<int64_t>(seeds_.size()); }
  /// The seed of every row.
  [[nodiscard]] const std::vector<int64_t>& seeds() const noexcept { return seeds_; }
  /// The row of every seed. Throws InputError when one is not there.
  [[nodiscard]] std::vector<int64_t> rows_of(const std::vector<int64_t>& seeds) const;
  /// The rows whose samples ended well (status ok).
  [[nodiscard]] std::vector<int64_t> ok_rows() const;

  /// Copies of the rows, in that order, every member defined; x and denoised in `dtype`. Throws UsageError
  /// when a row is out of range.
  [[nodiscard]] TrajectoryBatch batch(const std::vector<int64_t>& rows, at::ScalarType dtype = at::kFloat) const;
  /// Everything.
  [[nodiscard]] TrajectoryBatch all(at::ScalarType dtype = at::kFloat) const;

 private:
  std::string folder_;
  TrajectoryConfig config_;
  std::vector<ShardReader> shards_;
  std::vector<int64_t> first_row_;  // of each shard
  std::vector<int64_t> seeds_;
};

/// Joins stores of one config, each with seeds of its own, into `output` (created, or extended; shards
/// that it has already are skipped, so an interrupted merge is simply repeated). Returns the trajectories
/// in `output`. Throws UsageError when configs differ or a seed is in two of them.
int64_t merge_stores(const std::vector<std::string>& inputs, const std::string& output,
                     FileSystem& files = posix_file_system());

struct StoreReport {
  TrajectoryConfig config;
  int64_t shards = 0;        ///< whole ones
  int64_t trajectories = 0;  ///< in them
  int64_t bytes = 0;
  std::vector<std::string> problems;  ///< damage; one line each
  std::vector<std::string> notes;     ///< what a killed writer left, harmless
  [[nodiscard]] bool ok() const noexcept { return problems.empty(); }
};

/// Checks every shard and looks for files that do not belong. Damage is in the report; throws InputError
/// only when there is no store.
[[nodiscard]] StoreReport verify_store(const std::string& folder);

/// Whether the folder holds a store: its manifest.json says so.
[[nodiscard]] bool is_trajectory_store(const std::string& folder);

}  // namespace stride
