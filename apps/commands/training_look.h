// What a denoiser looks like while it is trained, for TensorBoard.
#pragma once

#include "apps/cli/context.h"
#include "neural/training/train_denoiser.h"

namespace stride {

/// Writes, of the average of the weights: the residual λ(σ)‖D − y‖² of some of the images as a histogram and a mean for
/// each of four ranges of σ ("residual/…"), and a grid of samples from the same seeds ("samples", Heun, 18 steps).
class TrainingLook final {
 public:
  TrainingLook(Context& context, const UNetConfig& config, const ImageData& data, const DenoiserTraining& training,
               double sigma_min, double sigma_max);
  void operator()(int64_t step, const Weights& average) const;

 private:
  void residuals(int64_t step, const Weights& average) const;
  void samples(int64_t step, const Weights& average) const;

  Context& context_;
  UNetConfig config_;
  ImageData part_;
  DenoiserTraining training_;
  double sigma_min_, sigma_max_;
};

}  // namespace stride
