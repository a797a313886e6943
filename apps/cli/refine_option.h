// --start, --strength and --mask: from an image instead of noise.
#pragma once

#include "apps/cli/sampling_options.h"

namespace stride {

inline constexpr const char* kStartGroup = "Start";  ///< in the help
[[nodiscard]] OptionTable refine_options();

/// --strength, 1 without it. Throws UsageError without --start.
[[nodiscard]] double strength_of(const OptionValues& options);

/// Opens --start and --mask into `settings`, whose seeds are set, and notes them for manifest.json. Throws UsageError
/// on --mask alone, InputError on a file that is damaged or does not fit the model and the seeds.
void read_refine(Context& context, const ModelInfo& model, DrawSettings& settings);

}  // namespace stride
