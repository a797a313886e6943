// The sampling options of a command, and what they say.
#pragma once

#include "apps/cli/context.h"
#include "pipeline/draw.h"
#include "pipeline/model_card.h"

#include <string>
#include <vector>

namespace stride {

/// Which of the sampling options a command takes, and their defaults.
struct SamplingTable {
  bool several = false;         ///< --solver and --schedule may be repeated
  bool grid = true;             ///< --steps --nfe --final --schedule --sigmas --noise-schedule --sigma-min --sigma-max
  bool policy = true;           ///< --policy
  bool condition = true;        ///< --class --cond --guidance --clip --threshold
  bool starts = true;           ///< --init --init-scale --noise
  bool refine = false;          ///< --start --strength --mask
  bool trust = true;            ///< --trust-model
  std::string solver = "heun";  ///< default of --solver; empty: the command has no --solver
};
/// --model and what `wanted` names. Section "sampling" of configurations.
[[nodiscard]] OptionTable sampling_options(const SamplingTable& wanted = {});

/// The spec that the options name; several with SamplingTable::several (every solver under every schedule).
[[nodiscard]] std::vector<SamplerSpec> sampler_specs(const OptionValues& options);

/// Reads the options of `sampling_options` and the common ones. Opens --class FILE, --cond, --init, --noise, --start
/// and --mask and notes them for manifest.json. Throws InputError where --resume finds one changed. `more_seeds` come
/// behind those of --seeds, where they need conditions too.
[[nodiscard]] DrawSettings draw_settings(Context& context, const ModelInfo& model,
                                         const std::vector<int64_t>& more_seeds = {});
/// What is asked for and not done (pipeline/overruled.h).
[[nodiscard]] std::vector<std::string> overruled(const OptionValues& options, const Sampler& sampler);

/// Shows a warning with the names of options.
void say(Context& context, const std::string& warning);
/// The same for several, which are noted for manifest.json.
void warn(Context& context, const std::vector<std::string>& warnings);

/// For commands with one sampler, before they run: refuses what the sampler was not made for, and options that are
/// overruled; shows what else a reader of the results should know.
void check_run(Context& context, const Sampler& sampler, const ModelInfo& model, const DrawSettings& settings);

/// The model that --model names, on the device and in the data type of the command.
[[nodiscard]] LoadedModel model_of(const Context& context);
/// Notes the model for manifest.json. Throws InputError where --resume finds it changed.
void note_model(Context& context, const LoadedModel& model);

}  // namespace stride
