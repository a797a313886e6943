// The random numbers of a training step from a CPU generator.
#pragma once

#include "neural/training/edm_objective.h"
#include "neural/training/train_denoiser.h"

#include <ATen/core/Generator.h>

namespace stride {

constexpr uint64_t kTrainingNoise = 1, kEvaluationNoise = 2;

/// Noise and noise levels for `images` `[B, C, H, W]`, on their device; `labels` as they are.
[[nodiscard]] EdmDraws edm_draws(const DenoiserTraining& training, const Tensor& images, const Tensor& labels,
                                 at::Generator generator);
/// Hides labels in `draws` at the training's rate, and gives its dropout and recomputation.
[[nodiscard]] PassOptions regularised(const DenoiserTraining& training, EdmDraws& draws, at::Generator generator);
/// Images `[B, C, H, W]`, left and right changed in the rows of `which` (bool `[B]`, on any device).
[[nodiscard]] Tensor mirrored(const Tensor& images, const Tensor& which);

}  // namespace stride
