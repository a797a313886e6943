// From `--features` and `--ref` to what Fréchet distances are measured in and against.
#pragma once

#include "apps/evaluation.h"

#include <string>

namespace stride {

/// `features`: a feature network's file, or the name of an embedded one (`features-digits`). `reference`: an image
/// file, or the name of an embedded data set (`digits`). Either may be empty. Samples are clipped to [−1, 1] before the
/// network sees them, as images are. Throws InputError on files that are not that, UsageError on unknown names, on a
/// network for images of another shape than `model`'s, and on a reference without a network.
[[nodiscard]] FeatureSetup make_feature_setup(const std::string& features, const std::string& reference,
                                              const ModelInfo& model);

}  // namespace stride
