// Guidance and thresholds from their texts.
#pragma once

#include "framework/models/guidance.h"

#include <string>

namespace stride {

/// `SCALE[:rescale=R,rescale_of=PREDICTION,interval=LOW-HIGH,apg=ETA,apg_norm=R]`. `sigma_data` is the model's, for
/// rescale_of=edm.
[[nodiscard]] Guidance parse_guidance(const std::string& text, double sigma_data);

/// `P[:max=M]`.
[[nodiscard]] DynamicThreshold parse_threshold(const std::string& text);

/// The shortest text that parse_guidance reads as the same; empty for no guidance.
[[nodiscard]] std::string guidance_text(const Guidance& guidance);
/// The same for parse_threshold; empty for no threshold.
[[nodiscard]] std::string threshold_text(const Guidance& guidance);

/// What `clip` bounds samples to, in data scale: images lie in [−1, 1].
inline constexpr double kClipRange = 1.0;

struct GuidanceText {
  std::string guidance, threshold;  ///< as above; empty: none
  bool clip = false;
};
/// All of it. Throws UsageError also where `clip` and `threshold` are both asked for.
[[nodiscard]] Guidance make_guidance(const GuidanceText& text, double sigma_data);

}  // namespace stride
