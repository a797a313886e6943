#include "pipeline/card_check.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/safetensors.h"
#include "framework/files/seal.h"
#include "pipeline/decoding/stage_card.h"
#include "pipeline/feature_card.h"
#include "pipeline/model_card.h"
#include "pipeline/models/model_files.h"
#include "pipeline/toml_reader.h"

#include <fmt/format.h>

#include <vector>

namespace stride {
namespace {

struct Promise {
  std::string file, sha256;  // empty: no file; no promise
};

std::vector<Promise> promises_of(const ForeignCard& card) {
  std::vector<Promise> out = {{card.weights, card.weights_sha256}};
  for (const CodeFile& code : card.code) out.push_back({code.file, code.sha256});
  return out;
}

std::vector<Promise> promises_of(const std::string& text, const std::string& path) {
  const std::string table = card_table(text, path);
  std::vector<Promise> out;
  if (table == "features") {
    const FeatureCard card = parse_feature_card(text, path);
    return {{card.file, card.sha256}};
  }
  if (table == "model") {
    const ModelCard card = parse_model_card(text, path);
    out = card.foreign ? promises_of(*card.foreign) : std::vector<Promise>{{card.file, card.file_sha256}};
    out.push_back({card.probe, card.probe_sha256});
  } else {
    const StageCard card = parse_stage_card(text, table, path);
    out = promises_of(card.code);
    out.push_back({card.probe, card.probe_sha256});
  }
  return out;
}

}  // namespace

std::string card_table(const std::string& text, const std::string& where) {
  const toml::table root = parse_toml_text(text, where);
  for (const char* name : {"model", "features", "decoder", "post"})
    if (root.contains(name)) return name;
  throw InputError(fmt::format("{}: is no card: it has none of [model], [features], [decoder] and [post]", where));
}

bool check_card(const std::string& path) {
  const std::string text = read_file(path);
  bool sealed = check_toml_seal(text, path);
  for (const auto& [file, sha256] : promises_of(text, path)) {
    if (file.empty()) continue;
    (void)model_file_sha256(path, file, sha256);
    sealed = sealed && !sha256.empty();
    if (file.ends_with(".safetensors")) (void)read_safetensors_file(model_path(path, file));
  }
  return sealed;
}

}  // namespace stride
