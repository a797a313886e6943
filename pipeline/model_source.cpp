// Where models come from: files, and the program itself.
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/models/narrow_denoiser.h"
#include "neural/networks/model_loader.h"
#include "pipeline/embedded.h"
#include "pipeline/model_card.h"
#include "pipeline/models/card_probe.h"
#include "pipeline/models/foreign_model.h"
#include "pipeline/models/model_files.h"
#include "pipeline/shipped_models.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <filesystem>

namespace stride {
namespace {

constexpr std::string_view kEmbedded = "embedded:";
constexpr std::string_view kCard = "/card.toml";

// A feature network has a card too, but is no denoiser.
bool is_denoiser(std::string_view card) { return card.find("[model]") != std::string_view::npos; }

ModelSource embedded_model(const std::string& name) {
  const auto card = embedded_file(name + std::string(kCard));
  if (!card) {
    const auto names = known_models();
    const std::string guess = nearest(name, names);
    throw InputError(fmt::format("`model` {}: neither a file nor a model that comes with the program ({}){}", name,
                                 fmt::join(names, ", "), guess.empty() ? "" : "; did you mean '" + guess + "'?"));
  }
  ModelSource source;
  source.where = std::string(kEmbedded) + name;
  source.text = *card;
  source.card = parse_model_card(source.text, source.where);
  if (!source.card.file.empty()) source.weights = name + "/" + source.card.file;
  if (source.card.info.name.empty()) source.card.info.name = name;
  return source;
}

// The card that a path means; that of weights or code may lie beside them.
std::string card_of(const std::string& path) {
  if (is_no_card(path) && file_exists(path)) {
    const std::filesystem::path place(path);
    const std::string card = (place.parent_path() / "card.toml").string();
    if (file_exists(card) && parse_model_card(read_file(card), card).file == place.filename()) return card;
  }
  return card_path("`model`", path);
}

ModelSource file_model(const std::string& given) {
  const std::string path = card_of(given);
  const std::filesystem::path place(path);
  ModelSource source;
  source.where = path;
  source.text = read_file(path);
  source.card = parse_model_card(source.text, path);
  if (!source.card.file.empty()) source.weights = (place.parent_path() / source.card.file).string();
  if (source.card.info.name.empty()) {
    const bool generic = place.stem() == "card" && place.has_parent_path();
    source.card.info.name = generic ? std::filesystem::absolute(place).parent_path().filename() : place.stem();
  }
  return source;
}

std::shared_ptr<const Denoiser> load_network(const ModelSource& source, at::Device device, at::ScalarType dtype) {
  const ModelCard& card = source.card;
  if (card.prediction != "edm" || card.time != "c_noise") {
    throw UsageError(fmt::format("{}: a native unet has prediction = \"edm\" and time = \"c_noise\"", source.where));
  }
  const std::string bytes = model_bytes(source.where, card.file, card.file_sha256);
  ModelInfo info = card.info;
  info.sha256 = sha256(bytes);
  auto denoiser = make_unet(info, parse_safetensors(bytes, source.weights), source.weights, device, dtype);
  if (const std::optional<Probe> probe = read_probe(source))
    require_answer(source, probe, dynamic_cast<const NetworkDenoiser&>(*denoiser), device, dtype);
  return denoiser;
}

}  // namespace

std::vector<std::string> known_models() {
  std::vector<std::string> names;
  for (const EmbeddedFile& file : embedded_files()) {
    if (!file.name.ends_with(kCard) || !is_denoiser(file.bytes)) continue;
    names.emplace_back(file.name.substr(0, file.name.size() - kCard.size()));
  }
  for (const std::string& name : shipped_cards())
    if (std::find(names.begin(), names.end(), name) == names.end() && is_denoiser(read_file(*shipped_card(name))))
      names.push_back(name);
  return names;
}

ModelSource find_model(const std::string& name_or_path) {
  const bool path_like = name_or_path.find('/') != std::string::npos || name_or_path.ends_with(".toml") ||
                         name_or_path.ends_with(".safetensors");
  // A folder that happens to have a known model's name is none of ours.
  std::error_code none;
  const bool there = std::filesystem::is_directory(name_or_path, none) ? file_exists(name_or_path + std::string(kCard))
                                                                       : file_exists(name_or_path);
  if (path_like || there) return file_model(name_or_path);
  if (embedded_file(name_or_path + std::string(kCard))) return embedded_model(name_or_path);
  const auto shipped = shipped_card(name_or_path);
  return shipped ? file_model(*shipped) : embedded_model(name_or_path);
}

LoadedModel load_model(const std::string& name_or_path, at::Device device, at::ScalarType dtype, bool trust) {
  LoadedModel model;
  model.source = find_model(name_or_path);
  const ModelCard& card = model.source.card;
  if (card.info.kind == "gaussian_mixture") {
    model.denoiser = std::make_shared<GaussianMixture>(card.info, card.mixture, device);
    if (at::elementSize(dtype) < at::elementSize(at::kFloat))
      model.denoiser = std::make_shared<NarrowDenoiser>(std::move(model.denoiser), dtype);
  } else if (card.foreign) {
    model.denoiser = load_foreign(model.source, device, dtype, trust);
  } else {
    model.denoiser = load_network(model.source, device, dtype);
  }
  return model;
}

}  // namespace stride
