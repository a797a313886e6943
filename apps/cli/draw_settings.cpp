// What is the same for all samples of a run: options, files and seeds.
#include "apps/cli/guidance_option.h"
#include "apps/cli/refine_option.h"
#include "apps/cli/sampling_options.h"
#include "framework/files/hash.h"
#include "pipeline/sample_source.h"
#include "pipeline/seeds.h"
#include "pipeline/starts.h"

#include <utility>

namespace stride {
namespace {

// A file has a row for each seed: there cannot be too many to list.
void require_listed(const Context& context) {
  if (context.seed_count() > context.seeds().size()) (void)parse_seeds(context.options().text("seeds"));
}

Tensor normals(Context& context, const ModelInfo& model, const std::string& option, const std::string& dataset) {
  const OptionValues& options = context.options();
  if (!options.knows(option) || !options.has(option)) return {};
  require_listed(context);
  const std::string path = samples_of_run(options.text(option));
  ReadInput read = read_normals({option, path, context.seeds()}, dataset, option == "noise", model);
  context.add_input(path, read.sha256);
  return std::move(read.values);
}

void read_conditions_of(Context& context, const ModelInfo& model, DrawSettings& settings) {
  const OptionValues& options = context.options();
  if (!options.knows("class")) return;
  if (options.has("class")) {
    settings.label = read_labels(options.text("class"), settings.seeds);
    if (settings.label.list.defined()) context.add_input(options.text("class"), sha256_file(options.text("class")));
  }
  if (options.has("cond")) {
    settings.conditions = read_conditions(options.text("cond"), model, settings.seeds.size());
    context.add_input(options.text("cond"), settings.conditions.sha256);
  }
  settings.guidance = guidance_of(options, model);
  settle_conditions(settings, model, options.has("guidance"));
}

}  // namespace

DrawSettings draw_settings(Context& context, const ModelInfo& model, const std::vector<int64_t>& more_seeds) {
  const OptionValues& options = context.options();
  DrawSettings settings;
  settings.seeds = context.seeds();
  settings.seeds.insert(settings.seeds.end(), more_seeds.begin(), more_seeds.end());
  settings.batch = context.batch();
  settings.device = context.device();
  settings.dtype = context.dtype();
  read_conditions_of(context, model, settings);
  settings.init = normals(context, model, "init", "x");
  settings.noise = normals(context, model, "noise", "eps");
  if (options.knows("start") && options.has("start")) require_listed(context);
  if (options.knows("start")) read_refine(context, model, settings);
  if (options.knows("tile") && options.has("tile")) settings.tile = parse_tiling(options.text("tile"));
  if (options.knows("init-scale")) settings.init_scale = parse_init_scale(options.text("init-scale"));
  settings.exact = options.text("numerics") == "exact";
  settings.graphs = settings.device.is_cuda();
  settings.oom_backoff = options.text("oom") == "backoff";
  return settings;
}

LoadedModel model_of(const Context& context) {
  const OptionValues& options = context.options();
  return load_model(options.text("model"), context.device(), context.dtype(), options.flag("trust-model"));
}

void note_model(Context& context, const LoadedModel& model) {
  context.add_input(model.source.where, model.info().sha256);
}

}  // namespace stride
