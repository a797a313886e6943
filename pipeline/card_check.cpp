#include "pipeline/card_check.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/safetensors.h"
#include "framework/files/seal.h"
#include "pipeline/model_card.h"
#include "pipeline/toml_reader.h"

#include <fmt/format.h>

#include <filesystem>

namespace stride {

bool check_card(const std::string& path) {
  const std::string text = read_file(path);
  bool sealed = check_toml_seal(text, path);
  const toml::table root = parse_toml_text(text, path);
  if (!root.contains("model") && !root.contains("features"))
    throw InputError(fmt::format("{}: is no card: it has neither [model] nor [features]", path));
  if (root.contains("model")) (void)parse_model_card(text, path);
  for (const char* name : {"model", "features"}) {
    const toml::table* table = root[name].as_table();
    if (table == nullptr || !table->contains("file")) continue;
    TomlReader reader(*table, path, name);
    const std::string weights = (std::filesystem::path(path).parent_path() / *reader.text("file")).string();
    const std::string promised = reader.text("sha256").value_or(""), found = sha256_file(weights);
    sealed = sealed && !promised.empty();
    if (!promised.empty() && promised != found)
      throw InputError(
          fmt::format("{}: its SHA-256 is {}, but the card {} promises {}", weights, found, path, promised));
    if (weights.ends_with(".safetensors")) (void)read_safetensors_file(weights);
  }
  return sealed;
}

}  // namespace stride
