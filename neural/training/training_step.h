// One step of a denoiser's training: the readable one, and the one for CUDA.
#pragma once

#include "neural/training/checkpoint.h"
#include "neural/training/train_denoiser.h"

#include <memory>

namespace stride {

/// A training that stands somewhere.
class TrainingStep {
 public:
  virtual ~TrainingStep() = default;
  TrainingStep(const TrainingStep&) = delete;
  TrainingStep& operator=(const TrainingStep&) = delete;

  /// The next step; on a device it is only queued.
  virtual void advance() = 0;
  /// Steps done.
  [[nodiscard]] virtual int64_t step() const noexcept = 0;
  /// The mean loss of the steps since this was asked last; waits for the device. Not finite where one was not.
  [[nodiscard]] virtual double mean_loss() = 0;
  /// A copy, in the layout's order, on the training's device.
  [[nodiscard]] virtual TrainingState state() const = 0;

 protected:
  TrainingStep() = default;
};

/// Of pure functions, on any device, in float32: the reference. Draws come from CPU generators.
[[nodiscard]] std::unique_ptr<TrainingStep> plain_training(const UNetConfig& config, const ImageData& data,
                                                           const DenoiserTraining& training, TrainingState start,
                                                           const at::Device& device);

/// The same mathematics for CUDA: the whole step (batch, noise, forward, backward, AdamW, average) is one CUDA graph
/// at fixed addresses; weights are cast once per step, activations channels-last, noise from Philox on the device. Its
/// draws differ from the plain one's; a run that is resumed goes on with the draws that it would have had, except for
/// dropout's, and its sums are not reproduced to the last bit (cuDNN).
[[nodiscard]] std::unique_ptr<TrainingStep> captured_training(const UNetConfig& config, const ImageData& data,
                                                              const DenoiserTraining& training,
                                                              const TrainingState& start, const at::Device& device);

/// What the average of the weights keeps at a step: 2^(−batch / half-life), less at first, so that the start does not
/// linger in it.
[[nodiscard]] double average_keeps(const DenoiserTraining& training, int64_t steps_done) noexcept;
/// The optimiser's settings.
[[nodiscard]] AdamOptions adam_options(const DenoiserTraining& training) noexcept;

}  // namespace stride
