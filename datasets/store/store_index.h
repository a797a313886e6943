// What a trajectory store holds, from its manifests alone: opening a million trajectories takes milliseconds.
#pragma once

#include "datasets/store/manifest.h"

#include <string>
#include <vector>

namespace stride {

/// "rank-3": where the third of several writers keeps its manifest, its lock and its shards.
[[nodiscard]] std::string rank_folder(int64_t rank);

/// The folders of a store that have a manifest or shards: itself, and those of ranks. Sorted; empty where there is no
/// store.
[[nodiscard]] std::vector<std::string> store_parts(const std::string& folder, FileSystem& files = posix_file_system());

class StoreIndex final {
 public:
  struct Shard {
    std::string folder;
    ShardEntry entry;
    int64_t first_row;
  };

  /// Reads the manifests and nothing else. Throws InputError, naming the file, on whatever is missing or damaged (also
  /// a part with shards and without a manifest), and where parts are of different kinds or hold the same seed.
  explicit StoreIndex(std::string folder, FileSystem& files = posix_file_system());

  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  [[nodiscard]] const TrajectoryConfig& config() const noexcept { return config_; }
  [[nodiscard]] const std::vector<std::string>& parts() const noexcept { return parts_; }
  [[nodiscard]] const std::vector<Shard>& shards() const noexcept { return shards_; }
  [[nodiscard]] const SeedRanges& seeds() const noexcept { return seeds_; }
  [[nodiscard]] int64_t size() const noexcept { return seeds_.size(); }  ///< trajectories
  [[nodiscard]] int64_t bytes() const noexcept;                          ///< of all shards

  /// The index of the shard that has the row, 0 ≤ row < size().
  [[nodiscard]] std::size_t shard_of(int64_t row) const noexcept;

 private:
  std::string folder_;
  TrajectoryConfig config_;
  std::vector<std::string> parts_;
  std::vector<Shard> shards_;
  SeedRanges seeds_;
};

}  // namespace stride
