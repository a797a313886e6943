// One step of a feature network's training: the readable one, and the one for CUDA.
#pragma once

#include "neural/networks/features.h"
#include "neural/training/training_step.h"

namespace stride {

/// Images `[N, C, H, W]` float32 and their labels int64 `[N]`, on the training's device.
struct LabelledImages {
  Tensor images, labels;
};

/// How many steps a training has.
[[nodiscard]] int64_t feature_steps(const FeatureTraining& training, int64_t images) noexcept;

/// Of pure functions, on any device: the reference. Draws come from CPU generators.
[[nodiscard]] std::unique_ptr<TrainingStep> plain_feature_training(const FeatureConfig& config, LabelledImages data,
                                                                   const FeatureTraining& training);
/// The same mathematics as one CUDA graph (neural/training/training_graph.h): shifts and mirrors come from the host's
/// generator, noise and dropout from Philox on the device, so its draws differ from the plain one's.
[[nodiscard]] std::unique_ptr<TrainingStep> captured_feature_training(const FeatureConfig& config, LabelledImages data,
                                                                      const FeatureTraining& training);

}  // namespace stride
