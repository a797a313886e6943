#include "apps/cli/outputs.h"

#include "apps/cli/run_dir.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/orphans.h"
#include "pipeline/run_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <map>

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

// The words of an option's value that may name a file: "plan:a.json", "predictor:FILE,tolerance=0.1".
std::vector<std::string> words_of(const std::string& value) {
  std::vector<std::string> out = {value};
  for (std::size_t begin = value.find_first_of(":,"); begin != std::string::npos;) {
    const std::size_t end = value.find(',', begin + 1);
    out.push_back(value.substr(begin + 1, end - begin - 1));
    begin = end;
  }
  return out;
}

std::vector<fs::path> inputs_of(const OptionValues& values) {
  std::vector<std::string> texts = values.arguments();
  for (const Option& option : values.table()) {
    const auto takes = [&](const char* what) { return option.value.find(what) != std::string::npos; };
    if (option.writes != Writes::nothing || option.name == "resume" || !values.has(option.name)) continue;
    if (!takes("FILE") && !takes("DIR") && !takes("CARD") && !takes("NAME[")) continue;
    const auto& given = values.values(option.name);
    texts.insert(texts.end(), given.begin(), given.end());
  }
  std::vector<fs::path> out;
  for (const std::string& text : texts)
    for (const std::string& word : words_of(text))
      if (!word.empty() && type_of(word) != fs::file_type::not_found) out.emplace_back(word);
  return out;
}

// `path` is there. Pages may be written again: nobody reads them.
void require_no_input(const fs::path& path, const std::string& what, const OptionValues& values) {
  if (path.extension() == ".html") return;
  std::error_code none;
  for (const fs::path& input : inputs_of(values)) {
    if (fs::equivalent(path, input, none))
      throw UsageError(fmt::format("{}: is read by this command too, and would be replaced; name another", what));
    if (fs::is_directory(input, none) &&
        fs::equivalent(path.parent_path().empty() ? "." : path.parent_path(), input, none))
      throw UsageError(fmt::format("{}: lies in {}, which this command reads; name another", what, input.string()));
  }
  if (is_file_of_run(path.string()))
    throw UsageError(fmt::format("{}: is a file of the run in that folder; name another", what));
}

}  // namespace

void check_outputs(const OptionValues& values) {
  std::map<fs::path, std::string> places;
  for (const Option& option : values.table()) {
    if (option.writes == Writes::nothing || !values.has(option.name)) continue;
    const std::string& path = values.text(option.name);
    const std::string what = fmt::format("--{} {}", option.name, path);
    const auto [other, fresh] = places.emplace(fs::absolute(path).lexically_normal(), option.name);
    if (!fresh) throw UsageError(fmt::format("{}: is where --{} writes too; name another", what, other->second));
    if (option.writes == Writes::file) {
      require_file_place(path, what);
      if (type_of(path) == fs::file_type::regular) require_no_input(path, what, values);
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
  (void)remove_orphaned_temporaries(folder.empty() ? "." : folder);
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
