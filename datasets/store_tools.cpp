// Joining and checking stores.
#include "datasets/store_folder.h"
#include "datasets/trajectory_store.h"
#include "framework/error.h"
#include "framework/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stride {
namespace {

/// Shards that `output` has already, by checksum.
std::set<std::string> checksums(const StoreManifest& manifest) {
  std::set<std::string> found;
  for (const ShardEntry& shard : manifest.shards) found.insert(shard.xxh3_128);
  return found;
}

void require_new_seeds(const StoreFolder& output, const ShardEntry& shard, const std::string& from) {
  for (const int64_t seed : shard.seeds) {
    if (output.seeds().contains(seed)) {
      throw UsageError(
          fmt::format("seed {} of {} is in {} already, from another store: merge stores of different seeds", seed, from,
                      output.path()));
    }
  }
}

void note_strays(const std::string& folder, const StoreManifest& manifest, StoreReport& report) {
  std::set<std::string> listed;
  for (const ShardEntry& shard : manifest.shards) listed.insert(shard.file);
  for (const std::string& name : list_folder(folder)) {
    if (is_temporary(name)) {
      report.notes.push_back(fmt::format("{}: left by a writer that was killed, or in use by one that runs", name));
    } else if (shard_index(name) >= 0 && !listed.contains(name)) {
      report.notes.push_back(fmt::format("{}: not in the manifest, so not part of the store", name));
    }
  }
}

}  // namespace

int64_t merge_stores(const std::vector<std::string>& inputs, const std::string& output, FileSystem& files) {
  if (inputs.empty()) throw UsageError("nothing to merge: name at least one trajectory store");
  const TrajectoryConfig config = StoreManifest::load(inputs.front(), files).config;
  std::vector<StoreManifest> manifests;
  for (const std::string& input : inputs) {
    const StoreManifest& manifest = manifests.emplace_back(StoreManifest::load(input, files));
    if (const std::string field = config.difference(manifest.config); !field.empty()) {
      throw UsageError(fmt::format("{} and {} cannot be merged, they differ in {}", inputs.front(), input, field));
    }
  }
  StoreFolder merged(output, config, "merge", files);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::set<std::string> done = checksums(merged.manifest());
    for (const ShardEntry& shard : manifests[i].shards) {
      if (done.contains(shard.xxh3_128)) continue;
      require_new_seeds(merged, shard, inputs[i]);
      merged.add(ShardReader(inputs[i], shard, config).image(), shard.seeds);
    }
  }
  return merged.manifest().trajectories();
}

StoreReport verify_store(const std::string& folder) {
  const StoreManifest manifest = StoreManifest::load(folder);
  StoreReport report;
  report.config = manifest.config;
  for (const ShardEntry& entry : manifest.shards) {
    try {
      const ShardReader shard(folder, entry, manifest.config);
      ++report.shards;
      report.trajectories += shard.size();
      report.bytes += entry.bytes;
    } catch (const InputError& error) {
      report.problems.emplace_back(error.what());
    }
  }
  note_strays(folder, manifest, report);
  return report;
}

bool is_trajectory_store(const std::string& folder) {
  if (!file_exists(manifest_path(folder))) return false;
  return read_file(manifest_path(folder)).find("\"stride-trajectories\"") != std::string::npos;
}

}  // namespace stride
