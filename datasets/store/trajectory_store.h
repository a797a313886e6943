// Reading, joining and checking trajectory stores.
#pragma once

#include "datasets/store/shard_set.h"
#include "datasets/store/trajectory.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stride {

/// A store that is open for reading, as it was at that moment; writers may go on meanwhile. Safe to use from several
/// threads.
class TrajectoryStore final {
 public:
  /// Verifies the checksum of every shard before anything else looks at it, on several threads. Throws InputError,
  /// naming the file, on whatever is missing or damaged.
  explicit TrajectoryStore(std::string folder);

  [[nodiscard]] const std::string& folder() const noexcept { return shards_->index().folder(); }
  [[nodiscard]] const TrajectoryConfig& config() const noexcept { return shards_->config(); }
  [[nodiscard]] int64_t size() const noexcept { return shards_->index().size(); }
  /// The seed of every row.
  [[nodiscard]] const std::vector<int64_t>& seeds() const noexcept { return seeds_; }
  /// The row of every seed. Throws InputError when one is not there.
  [[nodiscard]] std::vector<int64_t> rows_of(const std::vector<int64_t>& seeds) const;
  /// The rows whose samples ended well (status ok).
  [[nodiscard]] std::vector<int64_t> ok_rows() const;

  /// The class of each of these rows, int64 `[n]`: TrajectoryBatch::label; undefined where the store knows of none.
  /// Throws UsageError when a row is out of range.
  [[nodiscard]] Tensor labels(const std::vector<int64_t>& rows) const;

  /// Copies of the rows, in that order, with every member that such a store has; x and denoised in `dtype`. Throws
  /// UsageError when a row is out of range.
  [[nodiscard]] TrajectoryBatch batch(const std::vector<int64_t>& rows, at::ScalarType dtype = at::kFloat) const;
  /// Everything.
  [[nodiscard]] TrajectoryBatch all(at::ScalarType dtype = at::kFloat) const;
  /// For loaders.
  [[nodiscard]] const std::shared_ptr<const ShardSet>& shards() const noexcept { return shards_; }

 private:
  void require_rows(const std::vector<int64_t>& rows) const;

  std::shared_ptr<const ShardSet> shards_;
  std::vector<int64_t> seeds_;
};

/// Joins stores of one config, each with seeds of its own, into a new store `output`, which appears whole or not at
/// all: it is built in `output`.merging, of hard links where the file system has them and copies elsewhere, and
/// renamed. Every shard is verified first. Returns the trajectories. Throws UsageError when configs differ, a seed is
/// in two of them or `output` is there already; LockedError while somebody else merges into it; Stopped once `stop`,
/// which several threads call, says true. Nothing is left behind then.
int64_t merge_stores(const std::vector<std::string>& inputs, const std::string& output,
                     FileSystem& files = posix_file_system(), const std::function<bool()>& stop = {});

struct StoreReport {
  TrajectoryConfig config;
  int64_t shards = 0;        ///< whole ones
  int64_t trajectories = 0;  ///< in them
  int64_t bytes = 0;
  double seconds = 0;
  std::vector<std::string> problems;  ///< damage; one line each
  std::vector<std::string> notes;     ///< what a killed writer left, harmless
  [[nodiscard]] bool ok() const noexcept { return problems.empty(); }
};

/// Checks every shard, on several threads, and looks for files that do not belong. Damage is in the report; throws
/// InputError only when there is no store.
[[nodiscard]] StoreReport verify_store(const std::string& folder);

/// Whether the folder holds a store: its manifest.json says so, or that of a rank, or there are shards. It may be
/// damaged.
[[nodiscard]] bool is_trajectory_store(const std::string& folder);

}  // namespace stride
