// What is the same for all samples of a run: options, files and seeds.
#include "apps/guidance_option.h"
#include "apps/refine_option.h"
#include "apps/sampling.h"
#include "datasets/files/samples_file.h"
#include "framework/files/hash.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

namespace stride {
namespace {

Tensor read_normals(const OptionValues& options, const std::string& option, const std::string& dataset,
                    std::vector<InputFile>& inputs) {
  if (!options.knows(option) || !options.has(option)) return {};
  const std::string& path = options.text(option);
  const Tensor values = read_dataset(path, dataset);
  if (!values.is_floating_point())
    throw InputError(fmt::format("--{} {}: /{} must hold floating-point numbers", option, path, dataset));
  inputs.push_back({path, sha256_file(path)});
  return values;
}

void check_shape(const Tensor& values, int64_t leading, std::size_t samples, const ModelInfo& model, const char* what) {
  if (!values.defined()) return;
  std::vector<int64_t> wanted = {static_cast<int64_t>(samples)};
  wanted.insert(wanted.end(), model.shape.begin(), model.shape.end());
  const auto sizes = values.sizes();
  if (values.dim() < leading || sizes.slice(static_cast<std::size_t>(leading)) != at::IntArrayRef(wanted)) {
    throw InputError(
        fmt::format("{} has the shape [{}], but this run needs [{}{}]: a row a seed, each like the model's sample",
                    what, fmt::join(sizes, ", "), leading > 0 ? "draws, " : "", fmt::join(wanted, ", ")));
  }
}

}  // namespace

DrawSettings draw_settings(const Context& context, const ModelInfo& model) {
  const OptionValues& options = context.options();
  DrawSettings settings;
  settings.seeds = context.seeds();
  settings.batch = context.batch();
  settings.device = context.device();
  settings.dtype = context.dtype();
  if (options.knows("class") && options.has("class")) settings.label = options.integer("class");
  if (options.knows("guidance")) settings.guidance = guidance_of(options, model);
  if (settings.guidance.active() && !settings.label) {
    throw UsageError("--guidance needs a condition to guide towards: add --class N");
  }
  (void)make_condition(model, settings.label, 1, at::kCPU);
  settings.init = read_normals(options, "init", "x", settings.inputs);
  settings.noise = read_normals(options, "noise", "eps", settings.inputs);
  check_shape(settings.init, 0, settings.seeds.size(), model, "--init: /x");
  check_shape(settings.noise, 1, settings.seeds.size(), model, "--noise: /eps");
  if (options.knows("start")) read_refine(options, model, settings);
  settings.init_scale_vp = options.knows("init-scale") && options.text("init-scale") == "vp";
  settings.exact = options.text("numerics") == "exact";
  settings.oom_backoff = options.text("oom") == "backoff";
  return settings;
}

DrawSettings for_seeds(const DrawSettings& settings, const std::vector<int64_t>& seeds) {
  std::map<int64_t, int64_t> place;
  for (std::size_t i = 0; i < settings.seeds.size(); ++i) place[settings.seeds[i]] = static_cast<int64_t>(i);
  std::vector<int64_t> rows;
  for (const int64_t seed : seeds) {
    const auto found = place.find(seed);
    if (found == place.end()) throw UsageError(fmt::format("seed {} is not one of this run's", seed));
    rows.push_back(found->second);
  }
  const Tensor index = at::tensor(rows, at::TensorOptions().dtype(at::kLong));
  DrawSettings out = settings;
  out.seeds = seeds;
  if (out.init.defined()) out.init = out.init.index_select(0, index);
  if (out.noise.defined()) out.noise = out.noise.index_select(1, index);
  if (out.start.defined()) out.start = out.start.index_select(0, index);
  if (out.mask.defined()) out.mask = out.mask.index_select(0, index);
  return out;
}

BatchState make_condition(const ModelInfo& model, std::optional<int64_t> label, int64_t n, at::Device device) {
  if (model.conditions.empty()) {
    if (label) throw UsageError(fmt::format("--class: the model '{}' takes no condition", model.name));
    return {};
  }
  if (model.conditions.size() != 1 || model.conditions[0].classes < 1) {
    throw UsageError(fmt::format(
        "the model '{}' needs conditions other than one label, which this version cannot give it", model.name));
  }
  const int64_t classes = model.conditions[0].classes;
  if (label && (*label < 0 || *label >= classes)) {
    throw UsageError(
        fmt::format("--class {}: the model '{}' has the classes 0 to {}", *label, model.name, classes - 1));
  }
  return BatchState({at::full({n}, label.value_or(-1), at::TensorOptions().dtype(at::kLong).device(device))});
}

void note_inputs(Context& context, const LoadedModel& model, const DrawSettings& settings) {
  context.add_input(model.source.where, model.info().sha256);
  for (const auto& [path, sha256] : settings.inputs) context.add_input(path, sha256);
}

}  // namespace stride
