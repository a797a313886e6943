#include "pipeline/feature_card.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "neural/foreign/scripted_features.h"
#include "neural/networks/features.h"
#include "pipeline/models/foreign_code.h"
#include "pipeline/models/model_files.h"
#include "pipeline/sample_source.h"
#include "pipeline/toml_reader.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace stride {
namespace {

void require_size(const FeatureCard& card, const std::string& where, int64_t found) {
  if (card.size && *card.size != found)
    throw InputError(fmt::format("{}: the card promises {} features, the network has {}", where, *card.size, found));
}

LoadedFeatures native(const NamedBytes& file, const at::Device& device) {
  LoadedFeatures out;
  out.sha256 = sha256(file.bytes);
  const auto network =
      std::make_shared<const FeatureNetwork>(parse_safetensors(file.bytes, file.where), file.where, out.sha256);
  out.name = network->name();
  out.shape = network->config().shape;
  out.run = [network, device](const Tensor& images) { return network->features(images, device); };
  return out;
}

LoadedFeatures from_card(const FeatureRequest& request) {
  const std::string& where = request.features;
  const FeatureCard card = parse_feature_card(read_file(where), where);
  const std::string path = model_path(where, card.file);
  LoadedFeatures out;
  if (card.kind == "native") {
    out = native({model_bytes(where, card.file, card.sha256), path}, request.device);
    out.name = card.name;
    if (card.shape && *card.shape != out.shape)
      throw InputError(fmt::format("{}: the card's shape is not that of {}", where, path));
    return out;
  }
  require_trust(request.trust, fmt::format("`features` {}", where), path);
  const std::string bytes = model_bytes(where, card.file, card.sha256);
  out.sha256 = sha256(bytes);
  out.name = card.name;
  if (card.shape) out.shape = *card.shape;
  const auto network = std::make_shared<const ScriptedFeatures>(bytes, path, card.input, request.device);
  out.run = [network, card, where](const Tensor& images) {
    Tensor features = network->features(images);
    require_size(card, where, features.size(1));
    return features;
  };
  return out;
}

}  // namespace

FeatureCard parse_feature_card(const std::string& text, const std::string& where) {
  const toml::table root = parse_toml_text(text, where);
  TomlReader top(root, where, "");
  const toml::table* table = top.table("features");
  if (table == nullptr) throw InputError(fmt::format("{}: no card of a feature network: it has no [features]", where));
  (void)top.table("provenance");
  top.done();
  TomlReader reader(*table, where, "features");
  FeatureCard card;
  card.kind = reader.text("kind").value_or(card.kind);
  if (card.kind != "native" && card.kind != "torchscript")
    reader.fail("kind", fmt::format("is '{}', but must be native or torchscript", card.kind));
  card.name = reader.text("name").value_or(std::filesystem::path(where).stem());
  card.file = reader.text("file").value_or("");
  if (card.file.empty()) reader.fail("file", "is missing: the network's weights, relative to the card");
  card.sha256 = reader.text("sha256").value_or("");
  card.size = reader.integer("size");
  card.shape = reader.integers("shape");
  if (card.kind == "torchscript") {
    const auto resize = reader.integers("resize");
    if (resize && (resize->size() != 2 || resize->at(0) < 1 || resize->at(1) < 1 || resize->at(0) > 16384 ||
                   resize->at(1) > 16384))
      reader.fail("resize", "must be [height, width]");
    if (resize) card.input.resize = *resize;
    card.input.range = reader.text("input").value_or("signed");
    if (card.input.range != "signed" && card.input.range != "unit" && card.input.range != "byte")
      reader.fail("input", fmt::format("is '{}', but must be signed, unit or byte", card.input.range));
    if (const toml::node* node = reader.node("return_features")) {
      if (!node->is_boolean()) reader.fail("return_features", "must be true or false");
      card.input.return_features = node->value_or(false);
    }
  }
  reader.done();
  return card;
}

LoadedFeatures load_features(const FeatureRequest& request) {
  std::error_code none;
  if (std::filesystem::is_directory(request.features, none)) {
    const std::string card = (std::filesystem::path(request.features) / "card.toml").string();
    if (file_exists(card)) return load_features({card, request.quantisation, request.trust, request.device});
  }
  if (request.features.ends_with(".toml")) return from_card(request);
  return native(find_bytes("`features`", request.features, true), request.device);
}

}  // namespace stride
