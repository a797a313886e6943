// A store that is open for writing: its lock, its manifest, and the one way to add a shard.
#pragma once

#include "datasets/store/manifest.h"
#include "framework/files/lock.h"

#include <string>
#include <string_view>
#include <vector>

namespace stride {

class StoreFolder final {
 public:
  /// Takes the lock, creates the store or opens it, and clears what a killed writer left: temporaries are removed, and
  /// shards that are sealed, whole and not listed are listed. No shard is ever removed. Throws LockedError;
  /// UsageError when the store there holds something else than `config`, naming the field; InputError, and
  /// changes nothing, when the manifest is damaged, when it is missing beside shards, and when a shard that it does not
  /// list cannot be; ResourceError.
  StoreFolder(std::string folder, const TrajectoryConfig& config, const std::string& run_id, FileSystem& files);

  /// Writes a shard, then lists it; returns when both are durable. After an exception the folder is whole,
  /// but this object is not to be used again: every later call throws UsageError.
  void add(std::string_view image, std::vector<int64_t> seeds);

  [[nodiscard]] const std::string& path() const noexcept { return folder_; }
  [[nodiscard]] const StoreManifest& manifest() const noexcept { return manifest_; }
  /// Seeds that are durable.
  [[nodiscard]] const SeedRanges& seeds() const noexcept { return seeds_; }
  /// Names of the temporaries that opening removed, and of the shards that it listed.
  [[nodiscard]] const std::vector<std::string>& removed() const noexcept { return removed_; }
  [[nodiscard]] const std::vector<std::string>& adopted() const noexcept { return adopted_; }
  void require_usable() const;

 private:
  void open(const TrajectoryConfig& config);
  void adopt();

  std::string folder_;
  FileSystem& files_;
  LockFile lock_;
  StoreManifest manifest_;
  SeedRanges seeds_;
  std::vector<std::string> removed_, adopted_;
  int64_t next_index_ = 0;
  bool failed_ = false;
};

}  // namespace stride
