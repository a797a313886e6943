#include "pipeline/shipped_models.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace stride {
namespace {

namespace fs = std::filesystem;

fs::path shipped_folder() {
  const char* given = std::getenv("STRIDE_MODELS");
  if (given != nullptr && *given != '\0') return given;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path() : program.parent_path().parent_path() / "share" / "stride" / "models";
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
