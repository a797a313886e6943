#include "pipeline/model_card.h"

#include "framework/error.h"
#include "framework/files/hash.h"
#include "framework/models/network_denoiser.h"
#include "framework/models/parameterisation.h"
#include "pipeline/toml_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <cmath>
#include <filesystem>

namespace stride {
namespace {

constexpr int64_t kMostElements = int64_t{1} << 30;
const std::vector<std::string> kKinds = {"gaussian_mixture", "unet", "torchscript", "aoti"};

std::string needed_text(TomlReader& reader, const std::string& key) {
  auto found = reader.text(key);
  if (!found) reader.fail(key, "is missing");
  if (found->empty()) reader.fail(key, "is empty");
  return *std::move(found);
}

double positive(TomlReader& reader, const std::string& key, double fallback) {
  const double value = reader.number(key).value_or(fallback);
  if (!std::isfinite(value) || value <= 0.0) reader.fail(key, "must be a positive number");
  return value;
}

void read_shape(TomlReader& reader, ModelInfo& info) {
  const auto shape = reader.integers("shape");
  if (!shape) reader.fail("shape", "is missing: the shape of one sample, without the batch");
  if (shape->empty() || shape->size() > 8) reader.fail("shape", "must have between 1 and 8 dimensions");
  int64_t elements = 1;
  for (const int64_t extent : *shape) {
    if (extent < 1 || extent > kMostElements / elements) {
      reader.fail("shape", "must hold positive sizes, at most 2^30 values in all");
    }
    elements *= extent;
  }
  info.shape = *shape;
}

void read_sigmas(TomlReader& reader, ModelInfo& info) {
  info.sigma_min = positive(reader, "sigma_min", info.sigma_min);
  info.sigma_max = positive(reader, "sigma_max", info.sigma_max);
  info.sigma_data = positive(reader, "sigma_data", info.sigma_data);
  if (info.sigma_min >= info.sigma_max) reader.fail("sigma_min", "must be below sigma_max");
}

// Which of the three it is.
void read_form(TomlReader& reader, ConditionSpec& condition) {
  condition.classes = reader.integer("classes").value_or(0);
  const auto shape = reader.integers("shape");
  if (const toml::node* node = reader.node("guidance")) {
    if (!node->is_boolean()) reader.fail("guidance", "must be true or false");
    condition.guidance = node->value_or(false);
  }
  if (condition.classes < 0) reader.fail("classes", "must be positive");
  if (static_cast<int>(condition.classes > 0) + static_cast<int>(shape.has_value()) +
          static_cast<int>(condition.guidance) !=
      1)
    reader.fail("classes", "or shape, or guidance = true, one of them, says what the condition looks like");
  condition.shape = shape.value_or(std::vector<int64_t>{});
  int64_t elements = 1;
  for (const int64_t extent : condition.shape) {
    if (extent < 1 || extent > kMostElements / elements)
      reader.fail("shape", "must hold positive sizes, at most 2^30 values in all");
    elements *= extent;
  }
  if (const auto standard = reader.number("default")) {
    if (!condition.guidance) reader.fail("default", "is of a condition with guidance = true");
    condition.standard = *standard;
  }
}

// What stands for no condition. Stride's own models have the label −1 for it.
void read_none(TomlReader& reader, bool foreign, ConditionSpec& condition) {
  if (foreign) condition.null.reset();
  const toml::node* node = reader.node("null");
  if (node == nullptr) return;
  if (!foreign) reader.fail("null", "is of networks of the kinds torchscript and aoti");
  if (condition.classes > 0) {
    const auto label = reader.integer("null");
    if (*label < 0) reader.fail("null", "must be a label that the network takes for none");
    condition.null = label;
  } else {
    if (condition.guidance || reader.text("null") != "zeros")
      reader.fail("null", "of a condition with a shape is \"zeros\"");
    condition.zeros = true;
  }
}

void read_conditions(TomlReader& reader, const std::string& where, ModelInfo& info) {
  for (const toml::table* table : reader.tables("conditions")) {
    TomlReader inner(*table, where, "model.conditions");
    ConditionSpec condition;
    condition.name = needed_text(inner, "name");
    read_form(inner, condition);
    read_none(inner, is_foreign(info.kind), condition);
    inner.done();
    const auto same = [&](const ConditionSpec& other) { return other.name == condition.name; };
    if (std::any_of(info.conditions.begin(), info.conditions.end(), same))
      inner.fail("name", fmt::format("is '{}', as that of another condition", condition.name));
    info.conditions.push_back(std::move(condition));
  }
}

void read_mixture(TomlReader& reader, ModelCard& card) {
  GaussianMixtureOptions& mixture = card.mixture;
  auto weights = reader.numbers("weights");
  auto means = reader.rows("means");
  auto deviations = reader.numbers("std");
  if (!weights) reader.fail("weights", "is missing: one positive number a component");
  if (!means) reader.fail("means", "is missing: one list of numbers a component");
  if (!deviations) reader.fail("std", "is missing: one number a component");
  mixture.weights = *std::move(weights);
  mixture.means = *std::move(means);
  mixture.std = *std::move(deviations);
  mixture.classes = reader.integers("classes").value_or(std::vector<int64_t>{});
  const std::string reason = mixture.invalid_reason(card.info.shape);
  if (!reason.empty()) reader.fail("weights", fmt::format("and the rest of the mixture: {}", reason));
  if (!mixture.classes.empty() && card.info.conditions.empty()) {
    const int64_t last = *std::max_element(mixture.classes.begin(), mixture.classes.end());
    for (int64_t label = 0; label <= last; ++label) {
      if (std::find(mixture.classes.begin(), mixture.classes.end(), label) == mixture.classes.end()) {
        reader.fail("classes", fmt::format("leaves out label {}: every class needs a component", label));
      }
    }
    card.info.conditions.push_back({.name = "class", .classes = last + 1, .shape = {}});
  }
  if (mixture.classes.empty() != card.info.conditions.empty()) {
    reader.fail("conditions", "needs `classes`, one label a component");
  }
}

void read_noise_schedule(TomlReader& reader, const std::string& where, ModelCard& card) {
  const std::string interpolation = reader.text("interpolation").value_or("log_linear");
  if (interpolation != "log_linear" && interpolation != "linear") {
    reader.fail("interpolation", "is 'log_linear' or 'linear'");
  }
  const toml::table* table = reader.table("noise_schedule");
  if (table == nullptr && interpolation == "log_linear") return;
  Spec spec;
  spec.options["interpolation"] = interpolation;
  if (table == nullptr) {
    spec.name = "linear";
    card.noise_schedule = std::move(spec);
    return;
  }
  TomlReader inner(*table, where, "model.noise_schedule");
  spec.name = needed_text(inner, "kind");
  for (const char* key :
       {"beta_start", "beta_end", "shift", "mu", "seq_len", "base_shift", "max_shift", "base_seq_len", "max_seq_len"}) {
    if (const auto value = inner.number(key)) spec.options[key] = fmt::format("{}", *value);
  }
  if (const auto steps = inner.integer("steps")) spec.options["steps"] = fmt::format("{}", *steps);
  if (const toml::node* rescale = inner.node("rescale_zero_snr")) {
    if (!rescale->is_boolean()) inner.fail("rescale_zero_snr", "must be true or false");
    spec.options["rescale_zero_snr"] = rescale->as_boolean()->get() ? "true" : "false";
  }
  for (const char* key : {"time_shift", "of"}) {
    if (const auto value = inner.text(key)) spec.options[key] = *value;
  }
  if (const auto file = inner.text("file"))
    spec.argument = (std::filesystem::path(where).parent_path() / *file).string();
  inner.done();
  try {
    (void)make_noise_schedule(spec);
  } catch (const UsageError& error) {
    reader.fail("noise_schedule", fmt::format("is not one: {}", error.what()));
  }
  card.noise_schedule = std::move(spec);
}

void read_network(TomlReader& reader, const std::string& where, ModelCard& card) {
  if (is_foreign(card.info.kind)) {
    card.foreign = read_foreign_card(reader, where, "model", card.info.kind);
    card.file = card.foreign->code.front().file;
    card.file_sha256 = foreign_identity(*card.foreign, card.foreign->weights_sha256);
  } else {
    card.file = needed_text(reader, "file");
    card.file_sha256 = read_sha256(reader, "sha256");
  }
  card.probe = reader.text("probe").value_or("");
  card.probe_sha256 = read_sha256(reader, "probe_sha256");
  if (!card.probe_sha256.empty() && card.probe.empty())
    reader.fail("probe_sha256", "is of a file `probe`, which is missing");
  card.prediction = reader.text("prediction").value_or(card.prediction);
  const auto& names = parameterisation_names();
  if (std::find(names.begin(), names.end(), card.prediction) == names.end()) {
    reader.fail("prediction", fmt::format("is '{}', but must be one of {}", card.prediction, fmt::join(names, ", ")));
  }
  card.time = reader.text("time").value_or(card.time);
  try {
    (void)parse_time_input(card.time);
  } catch (const UsageError& error) {
    reader.fail("time", fmt::format("is '{}': {}", card.time, error.what()));
  }
  card.batches = read_batches(reader, card.foreign ? &*card.foreign : nullptr);
  read_noise_schedule(reader, where, card);
  if (card.time == "timestep" && !card.noise_schedule)
    reader.fail("noise_schedule", "is missing: the network takes timesteps, of which it says what they mean");
}

}  // namespace

ModelCard parse_model_card(const std::string& text, const std::string& where) {
  const toml::table root = parse_toml_text(text, where);
  TomlReader top(root, where, "card");
  const toml::table* model = top.table("model");
  if (model == nullptr) {
    for (const char* other : {"decoder", "post", "features"})
      if (root.contains(other))
        top.fail("model", fmt::format("is missing: this is the card of a [{}], which `{}` takes", other, other));
    top.fail("model", "is missing: a card has a [model] table");
  }
  (void)top.table("provenance");  // free text about where the model is from
  top.done();

  TomlReader reader(*model, where, "model");
  ModelCard card;
  card.info.kind = needed_text(reader, "kind");
  card.info.name = reader.text("name").value_or("");
  if (std::find(kKinds.begin(), kKinds.end(), card.info.kind) == kKinds.end())
    reader.fail("kind", fmt::format("is '{}', but must be one of {}", card.info.kind, fmt::join(kKinds, ", ")));
  read_shape(reader, card.info);
  read_sigmas(reader, card.info);
  read_conditions(reader, where, card.info);
  if (card.info.kind == "gaussian_mixture") {
    read_mixture(reader, card);
    read_noise_schedule(reader, where, card);
  } else {
    read_network(reader, where, card);
  }
  reader.done();
  card.info.sha256 = card.file.empty() ? sha256(text) : card.file_sha256;
  return card;
}

}  // namespace stride
