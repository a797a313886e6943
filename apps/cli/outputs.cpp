#include "apps/cli/outputs.h"

#include "apps/cli/run_dir.h"
#include "framework/error.h"
#include "framework/files/file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

namespace stride {
namespace {

namespace fs = std::filesystem;

fs::file_type type_of(const fs::path& path) {
  std::error_code none;
  return fs::status(path, none).type();
}

// The nearest folder at or above `path` that exists must be a folder and take new names.
void require_place(const fs::path& folder, const std::string& what) {
  fs::path place = folder.empty() ? "." : folder;
  while (type_of(place) == fs::file_type::not_found && place.has_parent_path() && place != place.parent_path())
    place = place.parent_path();
  if (type_of(place) == fs::file_type::not_found) place = ".";
  if (type_of(place) != fs::file_type::directory)
    throw UsageError(fmt::format("{}: {} is no folder; name another place", what, place.string()));
  if (access(place.c_str(), W_OK | X_OK) != 0)
    throw UsageError(fmt::format("{}: nothing may be written into {}; name another place", what, place.string()));
}

void require_file_place(const std::string& path, const std::string& what) {
  const fs::file_type type = type_of(path);
  if (path.empty() || path.back() == '/' || type == fs::file_type::directory)
    throw UsageError(fmt::format("{}: is a folder; name a file in it", what));
  if (type != fs::file_type::not_found && type != fs::file_type::regular)
    throw UsageError(fmt::format("{}: is no file that could be replaced; name another", what));
  require_place(fs::path(path).parent_path(), what);
}

void require_folder_place(const std::string& path, const std::string& what) {
  if (path.empty()) throw UsageError(fmt::format("{}: names no folder", what));
  require_place(path, what);
}

}  // namespace

void check_outputs(const OptionValues& values) {
  for (const Option& option : values.table()) {
    if (option.writes == Writes::nothing || !values.has(option.name)) continue;
    const std::string& path = values.text(option.name);
    const std::string what = fmt::format("--{} {}", option.name, path);
    if (option.writes == Writes::file) {
      require_file_place(path, what);
    } else {
      require_folder_place(path, what);
      if (option.writes == Writes::new_folder) require_new_folder(path);
    }
  }
}

std::vector<LockFile> claim_outputs(const OptionValues& values, std::vector<std::string>& replaced) {
  std::vector<LockFile> claims;
  for (const Option& option : values.table()) {
    if (option.writes != Writes::file || !values.has(option.name)) continue;
    claims.push_back(claim_output(values.text(option.name)));
    if (file_exists(values.text(option.name))) replaced.push_back(values.text(option.name));
  }
  return claims;
}

void make_folder_of(const std::string& path) {
  const std::string folder = fs::path(path).parent_path();
  if (!folder.empty()) make_folders(folder);
}

void copy_out(const std::string& kept, const std::string& path) {
  try {
    make_folder_of(path);
    write_file_atomic(path, read_file(kept));
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{}; the result is kept in {}", error.what(), kept));
  }
}

}  // namespace stride
