// Configurations as other projects write them: {"sampler": "DDIM", "steps": 20, "eta": 0.0, "schedule": "linear"}.
#pragma once

#include <map>
#include <string>

namespace stride {

/// Settings of a flat configuration that names a `sampler`, by the keys of Stride's own options:
///   sampler                       sampling.solver, in any project's spelling
///   steps                         sampling.steps
///   schedule, scheduler           sampling.schedule where it is a grid; where it names betas (linear, scaled_linear,
///   …),
///                                 sampling.noise_schedule, with every (T/N)-th of its timesteps as DDIM has them
///   spacing, timestep_spacing     sampling.schedule for betas: leading (the default), trailing or linspace
///   beta_start, beta_end, num_train_timesteps     options of the noise schedule
///   seed, seeds                   run.seeds
/// A key with a dot is Stride's own. Every other key is an option of the sampler. Throws UsageError, naming `where`, on
/// contradictions.
[[nodiscard]] std::map<std::string, std::string> familiar_settings(std::map<std::string, std::string> given,
                                                                   const std::string& where);

}  // namespace stride
