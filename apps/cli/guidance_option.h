// --guidance, --clip and --threshold.
#pragma once

#include "apps/cli/option_table.h"
#include "framework/denoiser.h"
#include "pipeline/guidance_text.h"

#include <string>

namespace stride {

[[nodiscard]] OptionTable guidance_options(const char* group);

/// What the three options say. Throws UsageError on an unknown key and on a value that cannot be.
[[nodiscard]] Guidance guidance_of(const OptionValues& options, const ModelInfo& model);

}  // namespace stride
