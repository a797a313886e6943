#include "framework/files/output_claim.h"

#include "framework/error.h"
#include "framework/files/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace stride {
namespace {

constexpr const char* kLock = ".lock";

}  // namespace

LockFile claim_output(const std::string& path) {
  namespace fs = std::filesystem;
  fs::path whole = fs::absolute(path).lexically_normal();
  if (!whole.has_filename()) whole = whole.parent_path();
  const fs::path folder = whole.parent_path();
  make_folders(folder);
  if (const auto holder = lock_holder(folder / kLock))
    throw LockedError(fmt::format("{} lies in a folder that {} is writing: wait for it to end, or write somewhere else",
                                  path, *holder));
  return LockFile::passing(folder / fmt::format(".{}{}", whole.filename().string(), kLock), path);
}

bool is_unbegun(const std::string& folder, const std::vector<std::string>& beginnings) {
  std::set<std::string> names;
  for (const std::string& name : list_folder(folder))
    if (!is_temporary(name)) names.insert(name);
  // They come one after the other: another program's folder may have one of the names.
  const bool owned = names.contains(kLock);
  for (const std::string& name : beginnings)
    if (!owned || names.erase(name) == 0) break;
  return std::all_of(names.begin(), names.end(),
                     [](const std::string& name) { return name.starts_with('.') && name.ends_with(kLock); });
}

}  // namespace stride
