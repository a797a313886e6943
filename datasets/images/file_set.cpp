#include "datasets/images/file_set.h"

#include "datasets/files/mapped_file.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace stride {
namespace {

constexpr int kMaxDepth = 32;

void list_below(const std::string& folder, const std::string& prefix, int depth, std::vector<std::string>& names) {
  if (depth > kMaxDepth)
    throw InputError(
        fmt::format("{}: folders more than {} deep; is there a link to a folder above?", folder, kMaxDepth));
  for (const std::string& name : list_folder(folder)) {
    if (name.starts_with('.')) continue;
    const std::string path = folder + "/" + name;
    std::error_code failed;
    const auto status = std::filesystem::status(path, failed);
    if (std::filesystem::is_directory(status)) {
      list_below(path, prefix + name + "/", depth + 1, names);
    } else if (std::filesystem::is_regular_file(status)) {
      names.push_back(prefix + name);
    } else {
      throw InputError(fmt::format("{}: is neither a file nor a folder (a broken link?); remove it", path));
    }
  }
}

std::vector<std::string> names_below(const std::string& folder) {
  std::vector<std::string> names;
  list_below(folder, "", 0, names);
  std::sort(names.begin(), names.end());
  return names;
}

class FolderFiles final : public FileSet {
 public:
  explicit FolderFiles(const std::string& path) : FileSet(path, names_below(path)) {}
  [[nodiscard]] std::string kind() const override { return "folder"; }
  [[nodiscard]] std::string where(std::size_t i) const override { return FileSet::where() + "/" + names()[i]; }
  [[nodiscard]] std::string read(std::size_t i) const override {
    const std::string path = where(i);
    const MappedFile file(path);
    if (file.bytes().size() > kMaxItemBytes)
      throw InputError(fmt::format("{}: has {} bytes, more than any image that is read", path, file.bytes().size()));
    return std::string(file.bytes());
  }
};

}  // namespace

std::string FileSet::sha256() const {
  SumOfFiles sum;
  for (std::size_t i = 0; i < names_.size(); ++i) sum.add(stride::sha256(read(i)), names_[i]);
  return sum.sha256();
}

std::string SumOfFiles::sha256() const { return stride::sha256(lines_); }

std::unique_ptr<const FileSet> open_folder_files(const std::string& path) {
  std::string folder = path;
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return std::make_unique<FolderFiles>(folder);
}

bool is_hidden(const std::string& name) noexcept {
  return name.starts_with('.') || name.find("/.") != std::string::npos;
}

bool relative_to(const std::string& within, std::string& name) {
  if (within.empty()) return true;
  if (!name.starts_with(within + "/")) return false;
  name.erase(0, within.size() + 1);
  return true;
}

}  // namespace stride
