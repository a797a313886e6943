#include "pipeline/shipped_models.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace stride {
namespace {

namespace fs = std::filesystem;

fs::path beside(const fs::path& binary) { return binary.parent_path().parent_path() / "share" / "stride" / "models"; }

/// The file of the library that this function is in, where it is one of its own.
fs::path this_library() {
  Dl_info info = {};
  if (::dladdr(reinterpret_cast<const void*>(&this_library), &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code error;
  const fs::path file = fs::canonical(info.dli_fname, error);
  return error ? fs::path() : file;
}

fs::path shipped_folder() {
  const char* given = std::getenv("STRIDE_MODELS");
  if (given != nullptr && *given != '\0') return given;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  fs::path folder = error ? fs::path() : beside(program);
  return fs::is_directory(folder, error) ? folder : beside(this_library());
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

}  // namespace

std::vector<std::string> shipped_cards() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(shipped_folder(), error))
    if (is_file(entry.path() / "card.toml")) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::optional<std::string> shipped_card(const std::string& name) {
  if (name.empty() || name.find('/') != std::string::npos || name == "..") return std::nullopt;
  const fs::path card = shipped_folder() / name / "card.toml";
  return is_file(card) ? std::optional<std::string>(card) : std::nullopt;
}

}  // namespace stride
