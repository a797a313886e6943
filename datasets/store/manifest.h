// `manifest.json` of a trajectory store: what it holds, and the checksum of every file in it. Version 1 is that of
// full stores, version 2 adds `save_at` and `content`.
#pragma once

#include "datasets/store/seed_ranges.h"
#include "datasets/store/trajectory.h"
#include "framework/files/file_system.h"

#include <string>
#include <vector>

namespace stride {

struct ShardEntry {
  std::string file;  ///< without folder
  int64_t count = 0;
  int64_t bytes = 0;
  std::string xxh3_128;
  SeedRanges seeds;
};

struct StoreManifest {
  TrajectoryConfig config;
  std::vector<ShardEntry> shards;

  /// Of all shards.
  [[nodiscard]] SeedRanges seeds() const;
  [[nodiscard]] int64_t trajectories() const noexcept;

  /// The text ends with its own checksum. Throws InputError, naming `where`, on anything that to_json
  /// did not write.
  [[nodiscard]] static StoreManifest from_json(const std::string& text, const std::string& where);
  [[nodiscard]] std::string to_json() const;

  [[nodiscard]] static StoreManifest load(const std::string& folder, FileSystem& files = posix_file_system());
  void save(const std::string& folder, FileSystem& files = posix_file_system()) const;
};

[[nodiscard]] std::string manifest_path(const std::string& folder);
/// "shard-000012.h5"
[[nodiscard]] std::string shard_name(int64_t index);
/// The index of a shard's name, or -1 for other names.
[[nodiscard]] int64_t shard_index(const std::string& name) noexcept;

}  // namespace stride
