// Checking stores.
#include "datasets/store/parallel.h"
#include "datasets/store/trajectory_store.h"
#include "framework/error.h"
#include "framework/files/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

namespace stride {
namespace {

void note_strays(const std::string& folder, const StoreManifest& manifest, StoreReport& report) {
  std::set<std::string> listed;
  for (const ShardEntry& shard : manifest.shards) listed.insert(shard.file);
  for (const std::string& name : list_folder(folder)) {
    if (is_temporary(name)) {
      report.notes.push_back(fmt::format("{}: left by a writer that was killed, or in use by one that runs", name));
    } else if (shard_index(name) >= 0 && !listed.contains(name)) {
      report.notes.push_back(fmt::format(
          "{}: not in the manifest, so not part of the store; recording into it lists what is whole", name));
    }
  }
}

}  // namespace

StoreReport verify_store(const std::string& folder) {
  const auto begin = std::chrono::steady_clock::now();
  const StoreIndex index(folder);
  StoreReport report;
  report.config = index.config();
  std::vector<std::string> problems(index.shards().size());
  for_each_index(index.shards().size(), io_threads(), [&](std::size_t i) {
    const StoreIndex::Shard& shard = index.shards()[i];
    try {
      const ShardReader reader(shard.folder, shard.entry, index.config());
    } catch (const InputError& error) {
      problems[i] = error.what();
    }
  });
  for (std::size_t i = 0; i < problems.size(); ++i) {
    if (!problems[i].empty()) {
      report.problems.push_back(problems[i]);
      continue;
    }
    ++report.shards;
    report.trajectories += index.shards()[i].entry.count;
    report.bytes += index.shards()[i].entry.bytes;
  }
  for (const std::string& part : index.parts()) note_strays(part, StoreManifest::load(part), report);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return report;
}

bool is_trajectory_store(const std::string& folder) {
  const std::vector<std::string> parts = store_parts(folder);
  return std::any_of(parts.begin(), parts.end(), [](const std::string& part) {
    const std::vector<std::string> names = list_folder(part);
    return std::any_of(names.begin(), names.end(), [](const std::string& name) { return shard_index(name) >= 0; }) ||
           read_file(manifest_path(part)).find("\"stride-trajectories\"") != std::string::npos;
  });
}

}  // namespace stride
