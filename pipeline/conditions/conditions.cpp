#include "pipeline/conditions/conditions.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/safetensors.h"
#include "framework/shapes.h"
#include "pipeline/draw.h"
#include "pipeline/models/foreign_card.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace stride {
namespace {

constexpr std::string_view kNegative = "negative.";

std::vector<std::string> names_of(const ModelInfo& model) {
  std::vector<std::string> names;
  for (const ConditionSpec& spec : model.conditions) names.push_back(spec.name);
  return names;
}

const ConditionSpec* find(const ModelInfo& model, const std::string& name) {
  const auto found = std::find_if(model.conditions.begin(), model.conditions.end(),
                                  [&](const ConditionSpec& spec) { return spec.name == name; });
  return found == model.conditions.end() ? nullptr : &*found;
}

void require_labels(const Tensor& labels, const ConditionSpec& spec, const std::string& what) {
  Tensor bad = labels.lt(0).logical_or(labels.ge(spec.classes));
  if (spec.null) bad = bad.logical_and(labels.ne(*spec.null));
  if (bad.any().item<bool>())
    throw InputError(fmt::format("{}: holds the label {}, and the model has the classes 0 to {}", what,
                                 labels.masked_select(bad)[0].item<int64_t>(), spec.classes - 1));
}

// `[N, …]`, or `[1, …]` where one sample's is for all.
Tensor rows_of(const Tensor& given, const ConditionSpec& spec, const std::string& what, int64_t seeds) {
  const bool labels = spec.classes > 0;
  if (labels ? !at::isIntegralType(given.scalar_type(), false) : !given.is_floating_point())
    throw InputError(fmt::format("{}: must hold {}", what, labels ? "labels, int64" : "floating-point numbers"));
  const std::vector<int64_t> one = labels ? std::vector<int64_t>() : spec.shape;
  const Tensor all = given.sizes() == at::IntArrayRef(one) ? given.unsqueeze(0) : given;
  const bool fits = all.dim() == static_cast<int64_t>(one.size()) + 1 && all.sizes().slice(1) == at::IntArrayRef(one) &&
                    (all.size(0) == 1 || all.size(0) == seeds);
  if (!fits)
    throw InputError(
        fmt::format("{}: has the shape [{}], but this run needs [{}], for all seeds, or that behind {}: a "
                    "row for each",
                    what, fmt::join(given.sizes(), ", "), fmt::join(one, ", "), seeds));
  if (labels) {
    const Tensor out = all.to(at::kLong);
    require_labels(out, spec, what);
    return out;
  }
  if (!all.isfinite().all().item<bool>()) throw InputError(fmt::format("{}: holds numbers that are not finite", what));
  return all.to(at::kFloat);
}

void require_plain(const Guidance& guidance, const ModelInfo& model) {
  Guidance plain;
  plain.scale = guidance.scale;
  if (guidance.rescale != plain.rescale || guidance.projected || guidance.interval_low != plain.interval_low ||
      guidance.interval_high != plain.interval_high)
    throw UsageError(
        fmt::format("`guidance`: the model '{}' takes its scale as a condition, in one pass: rescale, "
                    "interval and apg, which compare two passes, mean nothing; give the scale alone",
                    model.name));
}

void embed_guidance(DrawSettings& settings, const ModelInfo& model, const ConditionSpec& spec, bool given) {
  require_plain(settings.guidance, model);
  if (given) settings.embedded_guidance = settings.guidance.scale;
  settings.guidance.scale = 1.0;
  if (!settings.embedded_guidance) settings.embedded_guidance = spec.standard;
  if (!settings.embedded_guidance)
    throw UsageError(
        fmt::format("the model '{}' takes its guidance scale as a condition: give `guidance`", model.name));
}

bool knows_none(const ConditionSpec& spec) {
  return spec.guidance || (spec.classes > 0 ? spec.null.has_value() : spec.zeros);
}

// What was given is the model's, and given once.
void require_of_model(const DrawSettings& settings, const ModelInfo& model) {
  const auto& values = settings.conditions.values;
  if (model.conditions.empty() && (settings.label || !values.empty()))
    throw UsageError(
        fmt::format("`{}`: the model '{}' takes no condition", settings.label ? "class" : "cond", model.name));
  for (const auto& [name, rows] : values)
    if (find(model, name) == nullptr)
      throw UsageError(fmt::format("`cond`: the model '{}' has no condition '{}'; it takes {}", model.name, name,
                                   fmt::join(names_of(model), ", ")));
  if (!settings.label) return;
  const ConditionSpec* const label = label_of(model);
  if (label == nullptr)
    throw UsageError(
        fmt::format("`class`: the model '{}' takes no labels, but {}", model.name, fmt::join(names_of(model), ", ")));
  if (values.contains(label->name))
    throw UsageError(fmt::format("`class` and `cond` both say '{}': give one of them", label->name));
}

void require_given(const DrawSettings& settings, const ModelInfo& model, const ConditionSpec& spec) {
  if (settings.conditions.values.contains(spec.name) || knows_none(spec)) return;
  const ConditionSpec* const label = label_of(model);
  if (label == &spec) {
    if (!settings.label)
      throw UsageError(
          fmt::format("the model '{}' needs a label, 0 to {}: give `class`", model.name, spec.classes - 1));
    return;
  }
  throw UsageError(fmt::format("the model '{}' needs the condition '{}'{}: give `cond`, a file that holds it",
                               model.name, spec.name,
                               spec.classes > 0 ? "" : fmt::format(", [{}]", fmt::join(spec.shape, ", "))));
}

void require_guidable(const DrawSettings& settings, const ModelInfo& model) {
  if (!settings.guidance.active()) return;
  if (!settings.label && settings.conditions.values.empty())
    throw UsageError("`guidance` needs a condition to guide towards: give `class`, or `cond`");
  for (const ConditionSpec& spec : model.conditions)
    if (is_foreign(model.kind) && !knows_none(spec) && !settings.conditions.negative.contains(spec.name))
      throw UsageError(
          fmt::format("`guidance`: the model '{}' does not say what stands for no '{}': put a tensor "
                      "negative.{} into the file of `cond`",
                      model.name, spec.name, spec.name));
}

Tensor on(const Tensor& all, const DrawSettings& settings, int64_t first, int64_t n) {
  const auto seeds = static_cast<int64_t>(settings.seeds.size());
  if (all.size(0) != 1 && all.size(0) != seeds)
    throw UsageError(
        fmt::format("a condition has {} rows, and there are {} seeds: a row for each", all.size(0), seeds));
  std::vector<int64_t> shape = all.sizes().vec();
  shape[0] = n;
  return (all.size(0) == 1 ? all.expand(shape) : all.narrow(0, first, n)).contiguous().to(settings.device);
}

}  // namespace

const ConditionSpec* label_of(const ModelInfo& model) {
  const auto found = std::find_if(model.conditions.begin(), model.conditions.end(),
                                  [](const ConditionSpec& spec) { return spec.classes > 0; });
  return found == model.conditions.end() ? nullptr : &*found;
}

ConditionRows condition_rows(const std::map<std::string, Tensor>& tensors, const std::string& where,
                             const ModelInfo& model, std::size_t seeds) {
  ConditionRows out;
  if (tensors.empty()) throw InputError(fmt::format("{}: holds no condition", where));
  if (model.conditions.empty())
    throw UsageError(fmt::format("{}: the model '{}' takes no condition", where, model.name));
  for (const auto& [name, tensor] : tensors) {
    const bool negative = name.starts_with(kNegative);
    const ConditionSpec* const spec = find(model, negative ? name.substr(kNegative.size()) : name);
    if (spec == nullptr)
      throw InputError(fmt::format("{}: holds '{}', which is no condition of the model '{}'; it takes {}", where, name,
                                   model.name, fmt::join(names_of(model), ", ")));
    if (spec->guidance)
      throw InputError(fmt::format("{}: '{}' is the guidance scale, which `guidance` gives", where, name));
    if (negative && !is_foreign(model.kind))
      throw InputError(
          fmt::format("{}: '{}': the model '{}' says itself what stands for none", where, name, model.name));
    (negative ? out.negative : out.values)[spec->name] =
        rows_of(tensor, *spec, fmt::format("{}: '{}'", where, name), static_cast<int64_t>(seeds));
  }
  return out;
}

ConditionRows read_conditions(const std::string& path, const ModelInfo& model, std::size_t seeds) {
  const std::string bytes = read_file(path), where = fmt::format("`cond` {}", path);
  ConditionRows out = condition_rows(parse_safetensors(bytes, path).tensors, where, model, seeds);
  out.sha256 = sha256(bytes);
  return out;
}

void settle_conditions(DrawSettings& settings, const ModelInfo& model, bool guidance_given) {
  require_of_model(settings, model);
  for (const ConditionSpec& spec : model.conditions) {
    if (spec.guidance) embed_guidance(settings, model, spec, guidance_given);
    require_given(settings, model, spec);
  }
  require_guidable(settings, model);
  if (settings.label)
    (void)settings.label.of(settings.seeds, 0, static_cast<int64_t>(settings.seeds.size()), label_of(model)->classes);
}

BatchState make_condition(const ModelInfo& model, const DrawSettings& settings, int64_t first, int64_t n) {
  require_of_model(settings, model);
  const auto longs = at::TensorOptions().dtype(at::kLong).device(settings.device);
  std::vector<Tensor> slots, none;
  const ConditionRows& rows = settings.conditions;
  for (const ConditionSpec& spec : model.conditions) {
    const auto given = rows.values.find(spec.name);
    const std::vector<int64_t> shape = prepend({n}, spec.shape);
    const auto floats = at::TensorOptions().dtype(at::kFloat).device(settings.device);
    Tensor nothing;
    if (spec.guidance) {
      nothing = at::full(shape, settings.embedded_guidance.value_or(spec.standard.value_or(1.0)), floats);
    } else if (spec.classes > 0) {
      nothing = at::full(shape, spec.null.value_or(-1), longs);
    } else {
      nothing = at::zeros(shape, floats);
    }
    if (given != rows.values.end()) {
      slots.push_back(on(given->second, settings, first, n));
    } else if (&spec == label_of(model) && settings.label) {
      slots.push_back(settings.label.of(settings.seeds, first, n, spec.classes).to(settings.device));
    } else {
      require_given(settings, model, spec);
      slots.push_back(nothing);
    }
    const auto negative = rows.negative.find(spec.name);
    none.push_back(negative == rows.negative.end() ? nothing : on(negative->second, settings, first, n));
  }
  if (settings.guidance.active() && !rows.negative.empty()) slots.insert(slots.end(), none.begin(), none.end());
  return BatchState(std::move(slots));
}

Tensor label_rows(const ModelInfo& model, const DrawSettings& settings, int64_t first, int64_t n) {
  const ConditionSpec* const spec = label_of(model);
  if (spec == nullptr) return {};
  const auto given = settings.conditions.values.find(spec->name);
  Tensor labels;
  if (given != settings.conditions.values.end())
    labels = on(given->second, settings, first, n).to(at::kCPU, at::kLong);
  else if (settings.label)
    labels = settings.label.of(settings.seeds, first, n, spec->classes);
  else
    return at::full({n}, -1, at::TensorOptions().dtype(at::kLong));
  return spec->null ? labels.masked_fill(labels.eq(*spec->null), -1) : labels;
}

BatchState any_condition(const ModelInfo& model, int64_t n, const at::Device& device) {
  std::vector<Tensor> slots;
  for (const ConditionSpec& spec : model.conditions) {
    const std::vector<int64_t> shape = prepend({n}, spec.shape);
    const auto options = at::TensorOptions().device(device);
    slots.push_back(spec.classes > 0 ? at::full(shape, spec.null.value_or(0), options.dtype(at::kLong))
                                     : at::zeros(shape, options.dtype(at::kFloat)));
  }
  return BatchState(std::move(slots));
}

}  // namespace stride
