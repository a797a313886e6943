#include "pipeline/store_path.h"

#include "datasets/store/trajectory_store.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <vector>

namespace stride {

std::string find_store(const std::string& path) {
  if (is_trajectory_store(path)) return path;
  const std::string inside = path + "/" + kStoreFolder;
  if (is_trajectory_store(inside)) return inside;
  throw InputError(fmt::format("{}: no trajectory store here; `stride record` makes one", path));
}

std::string store_sha256(const std::string& folder) {
  std::vector<std::string> manifests;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))  // a folder for each writing rank
    if (entry.path().filename() == "manifest.json") manifests.push_back(entry.path().string());
  std::sort(manifests.begin(), manifests.end());
  std::string all;
  for (const std::string& path : manifests) all += read_file(path);
  return sha256(all);
}

}  // namespace stride
