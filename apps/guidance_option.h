// --guidance, --clip and --threshold.
#pragma once

#include "apps/option_table.h"
#include "framework/denoiser.h"
#include "framework/models/guidance.h"

#include <string>

namespace stride {

/// What --clip bounds samples to, in data scale: images lie in [-1, 1].
inline constexpr double kClipRange = 1.0;

[[nodiscard]] OptionTable guidance_options(const char* group);

/// What the three options say. Throws UsageError on an unknown key and on a value that cannot be.
[[nodiscard]] Guidance guidance_of(const OptionValues& options, const ModelInfo& model);

/// `SCALE[:rescale=R,rescale_of=PREDICTION,interval=LOW-HIGH,apg=ETA,apg_norm=R]`. `sigma_data` is the model's, for
/// rescale_of=edm.
[[nodiscard]] Guidance parse_guidance(const std::string& text, double sigma_data);

/// `P[:max=M]`.
[[nodiscard]] DynamicThreshold parse_threshold(const std::string& text);

}  // namespace stride
