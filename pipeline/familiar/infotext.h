// A1111's parameters under a picture: "Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1, …".
#pragma once

#include "pipeline/familiar/familiar_config.h"

#include <string>

namespace stride {

/// Whether a line of `text` begins with "Steps: " and a number, which no TOML does.
[[nodiscard]] bool is_infotext(const std::string& text);

/// Reads the last such line; what is above it is prompts. Steps, sampler, schedule type and its range, eta, churn,
/// guidance, seed and strength hold; what is the network's is named in a note. Throws UsageError, naming `where` and
/// key, on everything else: it was written down there because it changes the picture.
[[nodiscard]] FamiliarSettings infotext_settings(const std::string& text, const std::string& where);

}  // namespace stride
