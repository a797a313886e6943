// What is the same for all samples of a run: options, files and seeds.
#include "apps/cli/guidance_option.h"
#include "apps/cli/refine_option.h"
#include "apps/cli/sampling_options.h"
#include "datasets/files/samples_file.h"
#include "framework/files/hash.h"
#include "pipeline/sample_source.h"
#include "pipeline/seed_rows.h"
#include "pipeline/seeds.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

// A file has a row for each seed: there cannot be too many to list.
void require_listed(const Context& context) {
  if (context.seed_count() > context.seeds().size()) (void)parse_seeds(context.options().text("seeds"));
}

Tensor read_normals(Context& context, const std::string& option, const std::string& dataset) {
  const OptionValues& options = context.options();
  if (!options.knows(option) || !options.has(option)) return {};
  require_listed(context);
  const std::string path = samples_of_run(options.text(option));
  Tensor values = read_dataset(path, dataset);
  if (option == "init") values = rows_of_seeds(values, path, context.seeds());
  if (!values.is_floating_point())
    throw InputError(fmt::format("--{} {}: /{} must hold floating-point numbers", option, path, dataset));
  context.add_input(path, sha256_file(path));
  return values;
}

void check_shape(const Tensor& values, int64_t leading, std::size_t samples, const ModelInfo& model, const char* what) {
  if (!values.defined()) return;
  std::vector<int64_t> wanted = {static_cast<int64_t>(samples)};
  wanted.insert(wanted.end(), model.shape.begin(), model.shape.end());
  const auto sizes = values.sizes();
  if (values.dim() < leading || sizes.slice(static_cast<std::size_t>(leading)) != at::IntArrayRef(wanted)) {
    throw InputError(
        fmt::format("{} has the shape [{}], but this run needs [{}{}]: one row per seed, each like the model's sample",
                    what, fmt::join(sizes, ", "), leading > 0 ? "draws, " : "", fmt::join(wanted, ", ")));
  }
}

}  // namespace

DrawSettings draw_settings(Context& context, const ModelInfo& model) {
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
  settings.init = read_normals(context, "init", "x");
  settings.noise = read_normals(context, "noise", "eps");
  check_shape(settings.init, 0, settings.seeds.size(), model, "--init: /x");
  check_shape(settings.noise, 1, settings.seeds.size(), model, "--noise: /eps");
  if (options.knows("start") && options.has("start")) require_listed(context);
  if (options.knows("start")) read_refine(context, model, settings);
  if (options.knows("tile") && options.has("tile")) settings.tile = parse_tiling(options.text("tile"));
  settings.init_scale_vp = options.knows("init-scale") && options.text("init-scale") == "vp";
  settings.exact = options.text("numerics") == "exact";
  settings.graphs = settings.device.is_cuda();
  settings.oom_backoff = options.text("oom") == "backoff";
  return settings;
}

void note_model(Context& context, const LoadedModel& model) {
  context.add_input(model.source.where, model.info().sha256);
}

}  // namespace stride
