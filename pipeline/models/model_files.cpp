#include "pipeline/models/model_files.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "pipeline/embedded.h"

#include <fmt/format.h>

#include <filesystem>
#include <string_view>

namespace stride {
namespace {

constexpr std::string_view kEmbedded = "embedded:";

bool is_embedded(const ModelSource& source) { return source.where.starts_with(kEmbedded); }

void require(const ModelSource& source, const std::string& file, const std::string& found,
             const std::string& promised) {
  if (!promised.empty() && promised != found)
    throw InputError(
        fmt::format("{}: its SHA-256 is {}, but the card {} promises {}: the file is damaged, or another one",
                    model_path(source, file), found, source.where, promised));
}

}  // namespace

std::string model_path(const ModelSource& source, const std::string& file) {
  if (is_embedded(source)) return source.where.substr(kEmbedded.size()) + "/" + file;
  return (std::filesystem::path(source.where).parent_path() / file).string();
}

std::string model_bytes(const ModelSource& source, const std::string& file, const std::string& promised) {
  const std::string path = model_path(source, file);
  std::string bytes;
  if (is_embedded(source)) {
    const auto found = embedded_file(path);
    if (!found) throw InputError(fmt::format("{}: the program holds no file {}", source.where, path));
    bytes = *found;
  } else {
    bytes = read_file(path);
  }
  if (!promised.empty()) require(source, file, sha256(bytes), promised);
  return bytes;
}

std::string model_file_sha256(const ModelSource& source, const std::string& file, const std::string& promised) {
  std::string found = sha256_file(model_path(source, file));
  require(source, file, found, promised);
  return found;
}

}  // namespace stride
