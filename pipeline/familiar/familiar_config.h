// Configurations as other projects write them: {"sampler": "DDIM", "steps": 20, "eta": 0.0, "schedule": "linear"}, and
// diffusers' scheduler_config.json.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace stride {

/// What such a configuration means here.
struct FamiliarSettings {
  /// By the names of Stride's fields: solver, schedule, noise_schedule, final, sigma_min, sigma_max, steps, clip,
  /// threshold, seeds.
  std::map<std::string, std::string> fields = {};
  std::map<std::string, std::string> own = {};  ///< keys with a dot, which are Stride's own
  std::vector<std::string> notes = {};          ///< what was read over, and what is done otherwise: a sentence each
};

/// Whether these keys are such a configuration: one of them is `sampler` or `_class_name`.
[[nodiscard]] bool is_familiar(const std::map<std::string, std::string>& given);

/// Reads one. The values are texts: numbers, `true`, `false`, `inf`, lists as `[a, b]`; what is null is left out.
///   sampler                       a solver in any project's spelling, or a scheduler class of diffusers
///   _class_name                   such a class: all else is its own configuration
///   (pipeline/familiar/diffusers_config.h) steps; seed, seeds            of Stride's fields schedule, scheduler a
///   grid, or betas (linear, scaled_linear, …), with every (T/N)-th of their timesteps as
///                                 DDIM has them; a name of both, `flow`, is the grid, unless the file has settings of
///                                 betas
///   beta_schedule                 betas
///   spacing, timestep_spacing     for betas: leading (the default), trailing or linspace
///   beta_start, beta_end, num_train_timesteps     options of the betas
/// A class brings the defaults of its constructor. Every other key is an option of the solver. Throws UsageError,
/// naming `where`, on contradictions, and on what a class has and Stride has not.
[[nodiscard]] FamiliarSettings familiar_settings(std::map<std::string, std::string> given, const std::string& where);

}  // namespace stride
