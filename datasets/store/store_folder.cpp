#include "datasets/store/store_folder.h"

#include "datasets/store/shard.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace stride {
namespace {

constexpr const char* kLockName = "/.lock";

std::string made(std::string folder, FileSystem& files) {
  make_folders(folder, files);
  return folder;
}

}  // namespace

StoreFolder::StoreFolder(std::string folder, const TrajectoryConfig& config, const std::string& run_id,
                         FileSystem& files)
    : folder_(made(std::move(folder), files)), files_(files), lock_(folder_ + kLockName, run_id) {
  open(config);
  adopt();
  removed_ = remove_stale_temporaries(folder_, files_);
}

void StoreFolder::open(const TrajectoryConfig& config) {
  if (!file_exists(manifest_path(folder_), files_)) {
    for (const std::string& name : list_folder(folder_, files_)) {
      if (shard_index(name) < 0) continue;
      throw InputError(
          fmt::format("{} has shards but no manifest.json: restore it, or record into another folder", folder_));
    }
    // Before the first shard, so that shards without a manifest are never what a killed writer left.
    manifest_.config = config;
    manifest_.save(folder_, files_);
    return;
  }
  manifest_ = StoreManifest::load(folder_, files_);
  if (const std::string field = manifest_.config.difference(config); !field.empty()) {
    throw UsageError(fmt::format("{} holds trajectories of another kind, they differ in {}: record into another folder",
                                 folder_, field));
  }
  seeds_ = manifest_.seeds();
  for (const ShardEntry& shard : manifest_.shards) {
    next_index_ = std::max(next_index_, shard_index(shard.file) + 1);
  }
}

// A kill leaves one sealed shard that is not listed, a manifest from a copy many: they are whole, so they are part of
// the store. All are looked at before anything is changed.
void StoreFolder::adopt() {
  std::set<std::string> listed;
  for (const ShardEntry& shard : manifest_.shards) listed.insert(shard.file);
  std::vector<ShardEntry> found;
  SeedRanges seeds = seeds_;
  for (const std::string& name : list_folder(folder_, files_)) {
    if (shard_index(name) < 0 || listed.contains(name)) continue;
    const auto refuse = [&](const std::string& why) {
      throw InputError(fmt::format(
          "{}/{} is not in the manifest and cannot be listed there: {}. Is the manifest an old one? Restore "
          "it, or move the file away",
          folder_, name, why));
    };
    try {
      found.push_back(sealed_shard(folder_, name, manifest_.config));
    } catch (const InputError& error) {
      refuse(error.what());
    }
    if (const auto twice = seeds.common(found.back().seeds)) refuse(fmt::format("seed {} is in another shard", *twice));
    seeds.merge(found.back().seeds);
  }
  if (found.empty()) return;
  std::sort(found.begin(), found.end(),
            [](const ShardEntry& a, const ShardEntry& b) { return shard_index(a.file) < shard_index(b.file); });
  for (const ShardEntry& shard : found) {
    adopted_.push_back(shard.file);
    next_index_ = std::max(next_index_, shard_index(shard.file) + 1);
    manifest_.shards.push_back(shard);
  }
  manifest_.save(folder_, files_);
  seeds_ = std::move(seeds);
}

void StoreFolder::require_usable() const {
  if (failed_) throw UsageError(fmt::format("writing to {} failed before: open it again to go on", folder_));
}

void StoreFolder::add(std::string_view image, std::vector<int64_t> seeds) {
  require_usable();
  const auto count = static_cast<int64_t>(seeds.size());
  const ShardEntry shard{shard_name(next_index_), count, static_cast<int64_t>(image.size()), xxh3_128(image),
                         SeedRanges(std::move(seeds))};
  failed_ = true;
  write_file_atomic(folder_ + "/" + shard.file, image, files_);
  manifest_.shards.push_back(shard);
  manifest_.save(folder_, files_);
  failed_ = false;
  seeds_.merge(shard.seeds);
  ++next_index_;
}

}  // namespace stride
