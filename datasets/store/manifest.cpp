#include "datasets/store/manifest.h"

#include "datasets/store/config_sum.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/json_place.h"
#include "framework/files/json_text.h"
#include "framework/files/seal.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace stride {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kFormat = "stride-trajectories";
constexpr int kFullVersion = 1;                  // of stores with every point of the grid
constexpr int kSelectedVersion = 2;              // of those with some points, or with features
constexpr int64_t kMostRows = int64_t{1} << 32;  // of one shard; guards sums against overflow
constexpr int64_t kMostBytes = int64_t{1} << 50;

const char* dtype_name(at::ScalarType dtype) {
  if (dtype == at::kDouble) return "float64";
  return dtype == at::kHalf ? "float16" : "float32";
}

at::ScalarType dtype_of(const std::string& name) {
  if (name == "float64") return at::kDouble;
  return name == "float16" ? at::kHalf : at::kFloat;
}

bool is_full(const TrajectoryConfig& config) { return config.save_at.empty() && !config.features; }

/// As [first, last] pairs.
ordered_json seeds_to_json(const SeedRanges& seeds) {
  ordered_json ranges = ordered_json::array();
  for (const SeedRange& range : seeds.ranges()) ranges.push_back({range.first, range.last});
  return ranges;
}

ordered_json shard_to_json(const ShardEntry& shard) {
  return {{"file", shard.file},
          {"count", shard.count},
          {"bytes", shard.bytes},
          {"xxh3_128", shard.xxh3_128},
          {"seeds", seeds_to_json(shard.seeds)}};
}

/// Everything but the checksum, in one fixed form: what the checksum is taken of.
ordered_json content_of(const StoreManifest& manifest) {
  const TrajectoryConfig& config = manifest.config;
  ordered_json shards = ordered_json::array();
  for (const ShardEntry& shard : manifest.shards) shards.push_back(shard_to_json(shard));
  ordered_json all = {{"format", kFormat},
                      {"version", is_full(config) ? kFullVersion : kSelectedVersion},
                      {"model_sha256", config.model_sha256},
                      {"solver", config.solver},
                      {"schedule", config.schedule},
                      {"final", config.final},
                      {"dtype", dtype_name(config.dtype)},
                      {"sample_shape", config.sample_shape},
                      {"steps", config.steps},
                      {"sigmas", config.sigmas.empty() ? ordered_json() : ordered_json(config.sigmas)},
                      {"settings", config.settings.empty() ? ordered_json::object() : ordered_json(config.settings)}};
  if (!is_full(config)) {
    all["content"] = config.features ? "features" : "states";
    all["save_at"] = config.save_at.empty() ? ordered_json("all") : ordered_json(config.save_at);
  }
  all["shards"] = std::move(shards);
  return all;
}

std::string checksum_of(const ordered_json& content) { return seal_of(content); }

class Reader final {
 public:
  using Place = JsonPlace<ordered_json>;

  explicit Reader(const std::string& where) : where_(where) {}

  StoreManifest read(const std::string& text) const {
    ordered_json all = parse_ordered_json_text(text, where_);
    if (!all.is_object() || all.value("format", json()) != kFormat)
      fail("it is not the manifest of a trajectory store");
    const json version = all.value("version", json());
    if (version != kFullVersion && version != kSelectedVersion)
      fail("it is of another version of the format; use the Stride that wrote it");
    const auto stored = all.find(kSealKey);
    if (stored == all.end()) fail("its checksum is missing");
    const ordered_json checksum = *stored;
    all.erase(stored);
    if (checksum != checksum_of(all)) fail("its checksum is wrong: it was damaged, or changed by hand");
    const Place root(all, where_);
    const StoreManifest manifest{read_config(root), read_shards(root.at("shards"))};
    // One text for one content: nothing unknown, nothing missing, nothing in another order.
    if (content_of(manifest).dump() != all.dump()) fail("it has entries that do not belong");
    return manifest;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw InputError(fmt::format("{}: {}", where_, what)); }

  TrajectoryConfig read_config(const Place& all) const {
    TrajectoryConfig config;
    config.model_sha256 = all.at("model_sha256").text();
    config.solver = all.at("solver").text();
    config.schedule = all.at("schedule").text();
    config.final = all.at("final").text();
    config.dtype = dtype_of(all.at("dtype").text());
    config.sample_shape = all.at("sample_shape").wholes(1, kMostBytes);
    config.steps = all.at("steps").whole(1, kMostRows);
    if (!all.at("sigmas").is_null()) config.sigmas = all.at("sigmas").numbers();
    for (const auto& [name, value] : all.at("settings").entries()) config.settings[name] = value.text();
    if (const auto content = all.find("content")) {
      config.features = content->text() == "features";
      if (!all.at("save_at").value().is_string()) config.save_at = all.at("save_at").wholes(0, kMostRows);
    }
    if (const std::string reason = config.invalid_reason(); !reason.empty()) fail(reason);
    return config;
  }

  std::vector<ShardEntry> read_shards(const Place& list) const {
    std::vector<ShardEntry> shards;
    std::set<std::string> names;
    SeedRanges seeds;
    for (const Place& each : list.list()) {
      ShardEntry shard{each.at("file").text(),
                       each.at("count").whole(1, kMostRows),
                       each.at("bytes").whole(1, kMostBytes),
                       each.at("xxh3_128").text(),
                       {}};
      if (shard_index(shard.file) < 0 || !names.insert(shard.file).second)
        each.at("file").fail("is no name of a shard, or that of two");
      shard.seeds = read_seeds(each.at("seeds"), shard);
      for (const SeedRange& range : shard.seeds.ranges()) {
        if (!seeds.insert(range)) fail(fmt::format("a seed of {} to {} is in two shards", range.first, range.last));
      }
      shards.push_back(std::move(shard));
    }
    return shards;
  }

  SeedRanges read_seeds(const Place& list, const ShardEntry& shard) const {
    SeedRanges seeds;
    for (const ordered_json& each : list.value()) {
      const std::vector<int64_t> ends = Place(each, where_, "seeds of " + shard.file).wholes(0);
      if (ends.size() != 2) fail(fmt::format("bad seeds of {}", shard.file));
      const SeedRange range{ends[0], ends[1]};
      const bool sorted = range.first <= range.last && (seeds.empty() || seeds.ranges().back().last < range.first);
      if (!sorted || range.last - range.first >= shard.count - seeds.size() || !seeds.insert(range)) {
        fail(fmt::format("bad seeds of {}", shard.file));
      }
    }
    if (seeds.size() != shard.count) fail(fmt::format("bad seeds of {}", shard.file));
    return seeds;
  }

  const std::string& where_;
};

}  // namespace

SeedRanges StoreManifest::seeds() const {
  SeedRanges seeds;
  for (const ShardEntry& shard : shards) seeds.merge(shard.seeds);
  return seeds;
}

int64_t StoreManifest::trajectories() const noexcept {
  int64_t count = 0;
  for (const ShardEntry& shard : shards) count += shard.count;
  return count;
}

StoreManifest StoreManifest::from_json(const std::string& text, const std::string& where) {
  return Reader(where).read(text);
}

std::string StoreManifest::to_json() const {
  ordered_json all = content_of(*this);
  all["xxh3_128"] = checksum_of(all);
  return all.dump(1) + "\n";
}

StoreManifest StoreManifest::load(const std::string& folder, FileSystem& files) {
  const std::string path = manifest_path(folder);
  return from_json(read_file(path, files), path);
}

void StoreManifest::save(const std::string& folder, FileSystem& files) const {
  write_file_atomic(manifest_path(folder), to_json(), files);
}

std::string config_sum(const TrajectoryConfig& config) {
  StoreManifest manifest;
  manifest.config = config;
  return checksum_of(content_of(manifest));
}

std::string manifest_path(const std::string& folder) { return folder + "/manifest.json"; }

std::string shard_name(int64_t index) { return fmt::format("shard-{:06d}.h5", index); }

int64_t shard_index(const std::string& name) noexcept {
  constexpr std::string_view prefix = "shard-";
  constexpr std::string_view suffix = ".h5";
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return -1;
  const std::string digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
  if (digits.size() < 6 || digits.size() > 12 || digits.find_first_not_of("0123456789") != std::string::npos) return -1;
  const int64_t index = std::stoll(digits);
  return shard_name(index) == name ? index : -1;
}

}  // namespace stride
