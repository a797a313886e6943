// The options of `stride train-denoiser`, and what they say.
#pragma once

#include "apps/cli/context.h"
#include "neural/networks/features.h"
#include "neural/training/train_denoiser.h"

namespace stride {

[[nodiscard]] OptionTable train_denoiser_options();

/// Throws UsageError where an option is asked for that the chosen --network has no use for.
void refuse_options_of_other_network(const OptionValues& options);

/// The network for images like these. Throws UsageError when the options do not describe one.
[[nodiscard]] UNetConfig training_network(const OptionValues& options, const ImageData& data);

/// The classifier for --network features, and its training: what is not given keeps the defaults of FeatureConfig and
/// FeatureTraining.
[[nodiscard]] FeatureConfig feature_network(const OptionValues& options, const ImageData& data);
[[nodiscard]] FeatureTraining feature_training(const Context& context);

/// Throws UsageError for values that no training has.
[[nodiscard]] DenoiserTraining denoiser_training(const Context& context);

}  // namespace stride
