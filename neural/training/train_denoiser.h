// Training a denoiser on images.
#pragma once

#include "framework/progress.h"
#include "neural/networks/unet_config.h"
#include "neural/training/image_data.h"

#include <functional>
#include <string>
#include <vector>

namespace stride {

struct DenoiserTraining {
  int64_t images = 1'500'000;  ///< images seen in all
  int64_t batch = 128;
  double learning_rate = 2e-3;      ///< the highest; warm-up, then half a cosine down to 0
  int64_t warmup = 500;             ///< steps
  double ema_half_life = 20'000.0;  ///< images after which a weight has half its influence on the average
  double dropout = 0.1;             ///< inside the residual blocks
  double class_dropout = 0.15;      ///< labels replaced by "none", for guidance and unconditional samples
  double log_sigma_mean = -1.2;     ///< of the noise levels seen: Karras et al. 2022 table 1
  double log_sigma_std = 1.2;
  double clip = 1.0;  ///< largest gradient norm; 0: no limit
  double weight_decay = 0.0;
  bool flip = false;  ///< mirror every second image, at random
  uint64_t seed = 0;
  at::ScalarType dtype = at::kFloat;  ///< of the network's arithmetic; weights, loss and optimiser keep to float32
  bool recompute = false;             ///< gradients run each residual block again: less memory, a third more time
  bool captured = true;               ///< on CUDA: the step as one graph with fused kernels (training_step.h)
  int64_t checkpoint_every = 1000;    ///< steps
  int64_t look_every = 1000;          ///< steps between calls of TrainingHooks::look

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
  [[nodiscard]] int64_t steps() const noexcept { return (images + batch - 1) / batch; }
};

/// The mean loss over the steps since the record before it.
struct LossRecord {
  int64_t step;  ///< steps done
  double loss;
  double images_per_second;  ///< since the call began
};

/// What a caller sees of a training while it runs; empty functions are not called.
struct TrainingHooks {
  ProgressFn progress = {};
  std::function<void(const LossRecord&)> recorded = {};
  /// Every `look_every` steps and at the end, but not where the training was asked to stop: the average of the weights,
  /// float32 on the training's device.
  using Look = std::function<void(int64_t step, const Weights& average)>;
  Look look = {};
};

struct TrainedDenoiser {
  Weights weights;  ///< the moving average, float32 on the CPU
  int64_t steps = 0;
  bool stopped = false;            ///< `progress` asked for it; the checkpoint has where it stands
  std::vector<LossRecord> losses;  ///< of this call
};

/// Minimises E λ(σ)‖D(y + σn; σ) − y‖², ln σ ~ N(mean, std²), λ = (σ² + σ_d²)/(σ σ_d)² (Karras et al. 2022,
/// arXiv:2206.00364, table 1) with AdamW, and averages the weights.
/// With a `checkpoint` path the whole state is written there, atomically, every `checkpoint_every` steps and at a
/// stop; a call that finds the file continues from it, and ends bit for bit where an uninterrupted one would. The
/// result is a function of the arguments, the kind of processor and the number of threads; on CUDA up to the order of
/// sums in cuDNN.
/// Throws UsageError for invalid options and for a checkpoint of another training, InputError for a damaged one, and
/// QualityError when the loss stops being finite or grows tenfold (the last checkpoint stays).
[[nodiscard]] TrainedDenoiser train_denoiser(const UNetConfig& config, const ImageData& data,
                                             const DenoiserTraining& training, const std::string& checkpoint,
                                             const at::Device& device, const TrainingHooks& hooks = {});

/// λ(σ)‖D − y‖² by noise level, for histograms.
struct DenoiserResiduals {
  Tensor sigma;  ///< float64 `[N]`
  Tensor loss;   ///< float32 `[N]`, the mean over an image's values
};
/// Of all images in `data`, each with its own noise; a function of (seed, repeat). On the weights' device.
[[nodiscard]] DenoiserResiduals denoiser_residuals(const UNetConfig& config, const Weights& weights,
                                                   const ImageData& data, const DenoiserTraining& training,
                                                   uint64_t repeat);

/// The loss of `weights` on `data`, averaged over `repeats` noise levels and noises per image; deterministic. On
/// the weights' device. `pause` is called between passes of the network, and may throw.
[[nodiscard]] double denoiser_loss(const UNetConfig& config, const Weights& weights, const ImageData& data,
                                   const DenoiserTraining& training, int64_t repeats,
                                   const std::function<void()>& pause = {});

}  // namespace stride
