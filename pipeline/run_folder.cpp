#include "pipeline/run_folder.h"

#include "datasets/store/trajectory_store.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/json_place.h"
#include "framework/files/json_text.h"
#include "framework/files/output_claim.h"
#include "framework/files/printable.h"
#include "framework/files/seal.h"
#include "pipeline/seeds.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

namespace stride {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kDone = "DONE";
constexpr const char* kManifest = "manifest.json";
constexpr const char* kConfig = "config.toml";
constexpr const char* kConfigSum = "config_xxh3_128";
const std::vector<std::string> kStart = {".lock", "command.txt", kManifest};

bool is_log(const std::string& name) { return name == "log.ndjson"; }

std::string inside(const std::string& folder, const std::string& name) { return folder + "/" + name; }

// Every file below `folder` that is not a store's, by its name there; stores by theirs.
struct Walk {
  std::vector<std::string> files, stores;
};

void walk(const std::string& folder, const std::string& prefix, Walk& out) {
  for (const std::string& name : list_folder(inside(folder, prefix))) {
    const std::string path = inside(folder, prefix + name);
    if (name == ".lock" || is_temporary(name) || prefix + name == kDone) continue;
    if (!fs::is_directory(path)) {
      out.files.push_back(prefix + name);
    } else if (is_trajectory_store(path)) {
      out.stores.push_back(prefix + name);
    } else {
      walk(folder, prefix + name + "/", out);
    }
  }
}

FileSum sum_of(const std::string& path, const std::string& name) {
  return {fs::file_size(path), xxh3_128_file(path), is_log(name)};
}

Json to_json(const FileSum& sum) {
  Json out = {{"bytes", sum.bytes}, {"xxh3_128", sum.xxh3_128}};
  if (sum.grows) out["grows"] = true;
  return out;
}

std::string seeds_text(const std::string& store) {
  const StoreIndex index(store);
  return index.seeds().empty() ? "" : index.seeds().text();
}

// What DONE lists is on the disk before it: logs and event files are written without a sync.
void make_logs_durable(const std::string& folder, const std::vector<std::string>& names) {
  std::set<std::string> folders;
  for (const std::string& name : names) {
    if (!is_log(name) && !name.starts_with("tb/")) continue;
    AppendFile(inside(folder, name)).sync();
    for (fs::path path = fs::path(name).parent_path(); !path.empty(); path = path.parent_path())
      folders.insert(inside(folder, path.string()));
    folders.insert(folder);
  }
  for (const std::string& path : folders) sync_folder(path);
}

// Why the file is not the one that was listed; empty: it is.
std::string difference(const std::string& path, const FileSum& sum) {
  if (!fs::is_regular_file(path)) return "it is no file";
  const uint64_t bytes = fs::file_size(path);
  if (bytes != sum.bytes && !(sum.grows && bytes > sum.bytes))
    return fmt::format("it has {} bytes, DONE says {}", bytes, sum.bytes);
  const std::string found =
      bytes == sum.bytes ? xxh3_128_file(path) : xxh3_128(std::string_view(read_file(path)).substr(0, sum.bytes));
  return found == sum.xxh3_128 ? "" : "its content does not match the checksum in DONE";
}

Json read_manifest(const std::string& folder, bool& sealed) {
  const std::string path = inside(folder, kManifest);
  if (!file_exists(path))
    throw InputError(fmt::format("{}: is missing, and every run folder has one: restore it, or start a new run", path));
  Json manifest = parse_ordered_json_text(read_file(path), path);
  if (!manifest.is_object()) throw InputError(fmt::format("{}: is damaged: it is no JSON object", path));
  sealed = take_seal(manifest, path);
  return manifest;
}

}  // namespace

void seal_run(const std::string& folder, int64_t exit_code, const std::string& time) {
  Walk found;
  walk(folder, "", found);
  make_logs_durable(folder, found.files);
  Json files = Json::object(), stores = Json::object();
  for (const std::string& name : found.files) files[name] = to_json(sum_of(inside(folder, name), name));
  for (const std::string& name : found.stores) stores[name] = seeds_text(inside(folder, name));
  const Json done = {{"exit_code", exit_code}, {"time", time}, {"files", files}, {"stores", stores}};
  write_file_atomic(inside(folder, kDone), sealed_json(done));
}

std::optional<RunEnd> run_end(const std::string& folder) {
  const std::string path = inside(folder, kDone);
  if (!file_exists(path)) return std::nullopt;
  Json done = parse_ordered_json_text(read_file(path), path);
  const bool sealed = take_seal(done, path);
  const JsonPlace<Json> root(done, path);
  RunEnd out;
  out.exit_code = root.at("exit_code").whole();
  if (sealed != root.find("files").has_value()) root.fail("is damaged: its list of files or its checksum is gone");
  if (!sealed) return out;
  out.lists = true;
  const auto require_inside = [&](const std::string& name) {
    const fs::path place(name);
    if (name.empty() || place.is_absolute() || std::find(place.begin(), place.end(), "..") != place.end())
      root.fail(fmt::format("lists '{:.100}', which is no name in its folder", printable(name, Lines::escaped)));
  };
  for (const auto& [name, entry] : root.at("files").entries()) {
    require_inside(name);
    const auto grows = entry.find("grows");
    out.files[name] = {static_cast<uint64_t>(entry.at("bytes").whole(0)), entry.at("xxh3_128").text(),
                       grows && grows->flag()};
  }
  for (const auto& [name, seeds] : root.at("stores").entries()) {
    require_inside(name);
    out.stores[name] = seeds.text();
  }
  return out;
}

std::vector<std::string> run_damage(const std::string& folder, const RunEnd& end, bool missing) {
  std::vector<std::string> out;
  for (const auto& [name, sum] : end.files) {
    const std::string path = inside(folder, name);
    if (!file_exists(path)) {
      if (missing) out.push_back(path + ": is missing, and DONE lists it");
    } else if (const std::string what = difference(path, sum); !what.empty()) {
      out.push_back(fmt::format("{}: is damaged: {}", path, what));
    }
  }
  return out;
}

void relist(const std::string& path) {
  const fs::path place(path);
  const std::string folder = place.has_parent_path() ? place.parent_path().string() : ".", name = place.filename();
  const std::string done = inside(folder, kDone);
  if (!file_exists(done)) return;
  Json all = parse_ordered_json_text(read_file(done), done);
  if (!all.is_object() || !take_seal(all, done) || !all.contains("files") || !all["files"].contains(name)) return;
  all["files"][name] = to_json(sum_of(path, name));
  write_file_atomic(done, sealed_json(all));
}

bool is_file_of_run(const std::string& path) {
  const fs::path place(path);
  const std::string folder = place.has_parent_path() ? place.parent_path().string() : ".", name = place.filename();
  if (!file_exists(inside(folder, kConfig))) return false;
  if (name == kConfig || name == kDone || name == "metrics.jsonl" || name == "results.json" || name == "results.csv" ||
      std::find(kStart.begin(), kStart.end(), name) != kStart.end())
    return true;
  const auto end = run_end(folder);
  return end && end->files.contains(name);
}

std::string run_manifest(const std::string& manifest_json, const std::string& config_toml) {
  Json manifest = Json::parse(manifest_json);
  manifest[kConfigSum] = xxh3_128(config_toml);
  return sealed_json(manifest);
}

std::string run_config(const std::string& folder) {
  const std::string path = inside(folder, kConfig);
  if (!file_exists(path)) {
    if (is_stillborn_run(folder))
      throw InputError(
          fmt::format("`resume` {0}: that run ended before it began; start it again with `outdir` {0}", folder));
    throw InputError(fmt::format("`resume` {}: no run folder (it has no config.toml)", folder));
  }
  bool sealed = false;
  const Json manifest = read_manifest(folder, sealed);
  std::string text = read_file(path);
  if (!sealed && !manifest.contains(kConfigSum)) return text;
  if (JsonPlace<Json>(manifest, inside(folder, kManifest)).at(kConfigSum).text() != xxh3_128(text)) {
    throw InputError(
        fmt::format("{}: is not the configuration that the run began with (its checksum is not that of manifest.json): "
                    "it was damaged, or changed by hand. Restore it, or start a new run",
                    path));
  }
  return text;
}

void require_undamaged(const std::string& folder) {
  const auto end = run_end(folder);
  if (!end) return;
  const std::vector<std::string> damage = run_damage(folder, *end, false);
  if (damage.empty()) return;
  throw InputError(
      fmt::format("`resume` {}: {}; restore it, or remove it to have it made again", folder, damage.front()));
}

bool is_stillborn_run(const std::string& folder) {
  if (!fs::is_directory(folder)) return false;
  return !list_folder(folder).empty() && is_unbegun(folder, {"command.txt", kManifest});
}

void drop_torn_line(const std::string& path) {
  if (!file_exists(path)) return;
  const std::string text = read_file(path);
  const std::size_t whole = text.rfind('\n') + 1;  // 0 where there is none
  if (whole < text.size()) write_file_atomic(path, text.substr(0, whole));
}

void remove_temporaries_below(const std::string& folder) {
  (void)remove_stale_temporaries(folder);
  for (const std::string& name : list_folder(folder)) {
    const std::string path = inside(folder, name);
    // A store cleans itself: its writer has a lock of its own.
    if (!fs::is_symlink(path) && fs::is_directory(path) && !is_trajectory_store(path)) remove_temporaries_below(path);
  }
}

}  // namespace stride
