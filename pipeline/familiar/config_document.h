// A configuration as people have it: Stride's TOML and JSON, and what other projects write.
#pragma once

#include "pipeline/familiar/familiar_config.h"
#include "pipeline/familiar/value_kind.h"

#include <optional>
#include <string>
#include <vector>

namespace stride {

struct ConfigValue {
  std::optional<ValueKind> kind;  ///< none: whatever the setting's is
  std::string text;
};

/// One setting under its whole key, `sampling.steps`. A list that is `array`; null is no value at all.
struct ConfigEntry {
  std::string key;
  std::vector<ConfigValue> values;
  bool array = false;
};

struct ConfigDocument {
  std::vector<ConfigEntry> entries = {};          ///< Stride's own configuration
  std::optional<FamiliarSettings> familiar = {};  ///< another project's, in place of it
  std::string where = {};                         ///< the file that was read, for messages
};

/// Reads a file, or a folder that holds a diffusers pipeline. By what it holds it is
///   TOML, or JSON with keys of Stride's own;
///   JSON with `sampler` or `_class_name`: familiar_config.h. That of a pipeline (model_index.json) leads to the
///   scheduler's beside it;
///   JSON of ComfyUI's nodes, as its API takes them: comfy_workflow.h;
///   A1111's parameters as text: infotext.h;
///   a PNG with either of the last two in its text: png_text.h.
/// Throws InputError on what is missing, damaged or too large; UsageError, naming file and key, on what contradicts
/// itself or has no counterpart here.
[[nodiscard]] ConfigDocument read_config(const std::string& path);

/// The same of text that is at hand; `where` names it in messages.
[[nodiscard]] ConfigDocument parse_config(const std::string& text, const std::string& where);

/// TOML text as entries.
[[nodiscard]] std::vector<ConfigEntry> parse_toml_entries(const std::string& text, const std::string& where);

}  // namespace stride
