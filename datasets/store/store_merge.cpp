// Joining stores.
#include "datasets/store/parallel.h"
#include "datasets/store/trajectory_store.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/lock.h"
#include "framework/stopped.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <fmt/ranges.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

namespace stride {
namespace {

/// All shards of all inputs under the names they will have.
struct Plan {
  StoreManifest manifest;
  std::vector<StoreIndex::Shard> from;
};

// Stores of several classes are one kind: the merged store names all of them, and each shard says whose class is which.
class Classes final {
 public:
  // Takes the class out of `config`.
  void add(TrajectoryConfig& config) {
    const auto found = config.settings.find(kClassSetting);
    if (found == config.settings.end()) return note("none");
    std::istringstream words(found->second);
    for (std::string word; std::getline(words, word, ',');) note(word);
    config.settings.erase(found);
  }
  [[nodiscard]] std::string text() const { return fmt::format("{}", fmt::join(names_, ",")); }

 private:
  void note(const std::string& name) {
    if (std::find(names_.begin(), names_.end(), name) == names_.end()) names_.push_back(name);
  }

  std::vector<std::string> names_;
};

Plan plan_of(const std::vector<std::string>& inputs, FileSystem& files) {
  Plan plan;
  SeedRanges seeds;
  Classes classes;
  for (const std::string& input : inputs) {
    const StoreIndex index(input, files);
    TrajectoryConfig config = index.config();
    classes.add(config);
    if (input == inputs.front()) plan.manifest.config = config;
    if (const std::string field = plan.manifest.config.difference(config); !field.empty()) {
      throw UsageError(fmt::format("{} and {} cannot be merged, they differ in {}", inputs.front(), input, field));
    }
    if (const auto twice = seeds.common(index.seeds())) {
      throw UsageError(
          fmt::format("seed {} of {} is in another of the stores too: merge stores of different seeds", *twice, input));
    }
    seeds.merge(index.seeds());
    for (const StoreIndex::Shard& shard : index.shards()) {
      plan.from.push_back(shard);
      ShardEntry entry = shard.entry;
      entry.file = shard_name(static_cast<int64_t>(plan.manifest.shards.size()));
      plan.manifest.shards.push_back(std::move(entry));
    }
  }
  if (const std::string text = classes.text(); text != "none") plan.manifest.config.settings[kClassSetting] = text;
  return plan;
}

void require_free(const std::string& output, FileSystem& files) {
  if (!file_exists(output, files)) return;
  if (file_exists(output + "/.", files) && list_folder(output, files).empty()) return;
  throw UsageError(fmt::format(
      "{} is there already: merge into a new folder, with {} as one of the stores if it is one", output, output));
}

void link_or_copy(const std::string& from, const std::string& to, std::string_view bytes, FileSystem& files) {
  if (::link(from.c_str(), to.c_str()) != 0) write_file_atomic(to, bytes, files);
}

template <typename Call>
int persist(const Call& call) {
  int result = call();
  while (result == -EINTR) result = call();
  return result;
}

/// The rename makes all of it appear at once; its folder is synced so that it stays.
void publish(const std::string& building, const std::string& whole, FileSystem& files) {
  const std::size_t slash = whole.find_last_of('/');
  const std::string above = slash == std::string::npos ? "." : whole.substr(0, slash + 1);
  int result = persist([&] { return files.rename(building, whole); });
  const bool renamed = result >= 0;
  if (renamed) result = persist([&] { return files.open(above, O_RDONLY | O_DIRECTORY, 0); });
  if (result >= 0) {
    const int folder = result;
    result = persist([&] { return files.sync(folder); });
    (void)files.close(folder);
  }
  if (result >= 0) return;
  // Whole, but perhaps not for long: not in view either.
  if (renamed) (void)persist([&] { return files.rename(whole, building); });
  throw ResourceError(fmt::format("cannot rename {} to {}: {}", building, whole, std::strerror(-result)));
}

/// The folder that a merge is built in goes away with this, unless the store has been published.
class Building final {
 public:
  explicit Building(const std::string& whole, FileSystem& files)
      : path_(made(whole + ".merging", files)), lock_(path_ + "/.lock", "merge") {
    for (const std::string& name : list_folder(path_, files)) {  // of a merge that was killed
      if (name != ".lock") remove_file(path_ + "/" + name, files);
    }
  }
  ~Building() {
    std::error_code ignored;
    if (!published_) std::filesystem::remove_all(path_, ignored);
  }
  Building(const Building&) = delete;
  Building& operator=(const Building&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  void publish_as(const std::string& whole, FileSystem& files) {
    publish(path_, whole, files);
    published_ = true;
  }

 private:
  static std::string made(const std::string& path, FileSystem& files) {
    make_folders(path, files);
    return path;
  }

  std::string path_;
  LockFile lock_;
  bool published_ = false;
};

}  // namespace

int64_t merge_stores(const std::vector<std::string>& inputs, const std::string& output, FileSystem& files,
                     const std::function<bool()>& stop) {
  if (inputs.empty()) throw UsageError("nothing to merge: name at least one trajectory store");
  std::string whole = output;
  while (whole.size() > 1 && whole.back() == '/') whole.pop_back();
  require_free(whole, files);
  const Plan plan = plan_of(inputs, files);
  Building building(whole, files);
  for_each_index(plan.from.size(), io_threads(), [&](std::size_t i) {
    if (stop && stop()) throw Stopped();
    const StoreIndex::Shard& shard = plan.from[i];
    const ShardReader verified(shard.folder, shard.entry, plan.manifest.config);
    link_or_copy(shard.folder + "/" + shard.entry.file, building.path() + "/" + plan.manifest.shards[i].file,
                 verified.image(), files);
  });
  plan.manifest.save(building.path(), files);  // syncs the folder: the links too
  require_free(whole, files);
  building.publish_as(whole, files);
  return plan.manifest.trajectories();
}

}  // namespace stride
