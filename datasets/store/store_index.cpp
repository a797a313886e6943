#include "datasets/store/store_index.h"

#include "framework/error.h"
#include "framework/files/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace stride {
namespace {

constexpr std::string_view kRankPrefix = "rank-";

int64_t rank_of(std::string_view name) noexcept {
  if (!name.starts_with(kRankPrefix)) return -1;
  int64_t rank = -1;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + kRankPrefix.size(), end, rank);
  return error == std::errc() && stop == end && rank_folder(rank) == name ? rank : -1;
}

bool has_shards(const std::string& folder, FileSystem& files) {
  const std::vector<std::string> names = list_folder(folder, files);
  return std::any_of(names.begin(), names.end(), [](const std::string& name) { return shard_index(name) >= 0; });
}

}  // namespace

std::string rank_folder(int64_t rank) { return fmt::format("{}{}", kRankPrefix, rank); }

std::vector<std::string> store_parts(const std::string& folder, FileSystem& files) {
  std::vector<std::string> parts;
  if (!file_exists(folder + "/.", files)) return parts;
  if (file_exists(manifest_path(folder), files) || has_shards(folder, files)) parts.push_back(folder);
  std::vector<int64_t> ranks;
  for (const std::string& name : list_folder(folder, files)) {
    const int64_t rank = rank_of(name);
    const std::string part = folder + "/" + name;
    if (rank < 0 || !file_exists(part + "/.", files)) continue;
    if (file_exists(manifest_path(part), files) || has_shards(part, files)) ranks.push_back(rank);
  }
  std::sort(ranks.begin(), ranks.end());
  for (const int64_t rank : ranks) parts.push_back(folder + "/" + rank_folder(rank));
  return parts;
}

StoreIndex::StoreIndex(std::string folder, FileSystem& files)
    : folder_(std::move(folder)), parts_(store_parts(folder_, files)) {
  if (parts_.empty()) throw InputError(fmt::format("{}: no trajectory store here, it has no manifest.json", folder_));
  for (const std::string& part : parts_) {
    if (!file_exists(manifest_path(part), files)) {
      throw InputError(fmt::format("{} has shards but no manifest.json: restore it, or move the shards away", part));
    }
    StoreManifest manifest = StoreManifest::load(part, files);
    if (part == parts_.front()) config_ = manifest.config;
    if (const std::string field = config_.difference(manifest.config); !field.empty()) {
      throw InputError(fmt::format("{} and {} are of different kinds, they differ in {}: move one of them away",
                                   parts_.front(), part, field));
    }
    for (ShardEntry& entry : manifest.shards) {
      if (const auto twice = seeds_.common(entry.seeds)) {
        throw InputError(
            fmt::format("{} holds the trajectory of seed {} twice, the second time in {}/{}: move one of "
                        "its parts away",
                        folder_, *twice, part, entry.file));
      }
      const int64_t first = size();
      seeds_.merge(entry.seeds);
      shards_.push_back({part, std::move(entry), first});
    }
  }
}

int64_t StoreIndex::bytes() const noexcept {
  int64_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.entry.bytes;
  return sum;
}

std::size_t StoreIndex::shard_of(int64_t row) const noexcept {
  const auto after = std::upper_bound(shards_.begin(), shards_.end(), row,
                                      [](int64_t value, const Shard& shard) { return value < shard.first_row; });
  return static_cast<std::size_t>(after - shards_.begin()) - 1;
}

}  // namespace stride
