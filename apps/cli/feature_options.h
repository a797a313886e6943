// The options that choose a feature network, the same for every command that has one.
#pragma once

#include "apps/cli/context.h"
#include "evaluation/feature_setup.h"

namespace stride {

/// --trust-model, with its key under `section`.
[[nodiscard]] OptionTable trust_option(const std::string& section, const char* group);
/// --features, --quantise and --trust-model, with keys under `section`.
[[nodiscard]] OptionTable feature_options(const std::string& section, const std::string& fallback = "");
/// --device, for commands that run no sampler.
[[nodiscard]] OptionTable device_option();
/// What they ask for.
[[nodiscard]] FeatureRequest feature_request(const Context& context);

}  // namespace stride
