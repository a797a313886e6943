#include "pipeline/models/model_files.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "pipeline/embedded.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

namespace stride {
namespace {

constexpr std::string_view kEmbedded = "embedded:";

bool is_embedded(const std::string& card) { return card.starts_with(kEmbedded); }

void require(const std::string& card, const std::string& file, const std::string& found, const std::string& promised) {
  if (!promised.empty() && promised != found)
    throw InputError(
        fmt::format("{}: its SHA-256 is {}, but the card {} promises {}: the file is damaged, or another one",
                    model_path(card, file), found, card, promised));
}

}  // namespace

std::string model_path(const std::string& card, const std::string& file) {
  if (is_embedded(card)) return card.substr(kEmbedded.size()) + "/" + file;
  return (std::filesystem::path(card).parent_path() / file).string();
}

bool is_no_card(const std::string& path) {
  constexpr std::array<std::string_view, 8> kEnds = {".safetensors", ".pt",  ".pt2",  ".pth",
                                                     ".ckpt",        ".pkl", ".onnx", ".bin"};
  return std::any_of(kEnds.begin(), kEnds.end(), [&](std::string_view end) { return path.ends_with(end); });
}

std::string card_path(const std::string& option, const std::string& given) {
  std::error_code none;
  if (std::filesystem::is_directory(given, none)) {
    std::string card = (std::filesystem::path(given) / "card.toml").string();
    if (file_exists(card)) return card;
    const bool diffusers = file_exists(given + "/model_index.json") || file_exists(given + "/config.json");
    throw InputError(fmt::format("{} {}: a folder without card.toml; give a model's folder, or its card{}", option,
                                 given,
                                 diffusers ? ": one of diffusers becomes such by scripts/export-diffusers" : ""));
  }
  if (is_no_card(given) && file_exists(given))
    throw InputError(
        fmt::format("{} {}: weights and code do not say how they are run: give the card (TOML) that names them as its "
                    "file, or make one by scripts/export-module, export-edm, export-diffusers or export-onnx",
                    option, given));
  return given;
}

std::string model_bytes(const std::string& card, const std::string& file, const std::string& promised) {
  const std::string path = model_path(card, file);
  std::string bytes;
  if (is_embedded(card)) {
    const auto found = embedded_file(path);
    if (!found) throw InputError(fmt::format("{}: the program holds no file {}", card, path));
    bytes = *found;
  } else {
    bytes = read_file(path);
  }
  if (!promised.empty()) require(card, file, sha256(bytes), promised);
  return bytes;
}

std::string model_file_sha256(const std::string& card, const std::string& file, const std::string& promised) {
  std::string found = sha256_file(model_path(card, file));
  require(card, file, found, promised);
  return found;
}

}  // namespace stride
