// Fixed features of images: what Fréchet distances are measured in.
#pragma once

#include "framework/files/safetensors.h"
#include "framework/progress.h"
#include "neural/networks/parameters.h"
#include "neural/training/image_data.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// A small convolutional classifier. With blocks = 0: three 3×3 convolutions (the second halves the resolution), a
/// linear layer to the features, a linear layer to the classes. With more: a residual network of pre-activation blocks
/// (He et al. 2016, arXiv:1603.05027) with group normalisation and SiLU; each level halves the resolution of the one
/// before it; the features are the last level's means over the pixels.
struct FeatureConfig {
  std::vector<int64_t> shape = {1, 8, 8};        ///< of one image; height and width even
  std::vector<int64_t> channels = {16, 32, 32};  ///< of the convolutions, or of the levels
  int64_t blocks = 0;                            ///< residual blocks per level
  int64_t features = 64;                         ///< with blocks: the last level's width
  int64_t classes = 10;

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
  [[nodiscard]] std::string to_json() const;
  /// Throws InputError, naming `where`.
  [[nodiscard]] static FeatureConfig from_json(const std::string& text, const std::string& where);
};

[[nodiscard]] Layout feature_layout(const FeatureConfig& config);

/// What a feature network says about images `[N, C, H, W]`.
struct FeatureOutput {
  Tensor features;  ///< `[N, F]`, before the non-linearity
  Tensor logits;    ///< `[N, classes]`
};
[[nodiscard]] FeatureOutput feature_forward(const FeatureConfig& config, const Weights& weights, const Tensor& images,
                                            double dropout_keep = 1.0, const Tensor& dropout_mask = {});

/// A feature network with its weights. Immutable; computes in float64 on the CPU and in float32, never TF32, on CUDA,
/// whatever the precision of the run that it judges.
class FeatureNetwork final {
 public:
  /// Throws InputError, naming `where`, when the file is no feature network or damaged.
  FeatureNetwork(const Safetensors& file, const std::string& where, std::string sha256);
  /// Reads a file; a non-empty `sha256` must be the file's.
  [[nodiscard]] static FeatureNetwork load(const std::string& path, const std::string& sha256 = "");

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const std::string& sha256() const noexcept { return sha256_; }
  [[nodiscard]] int64_t size() const noexcept { return config_.features; }  ///< F
  [[nodiscard]] const FeatureConfig& config() const noexcept { return config_; }

  /// float64 `[N, F]`, on the CPU, of images `[N, C, H, W]` in the data scale, in chunks of 1,024, where the images are
  /// or on `device`. Throws UsageError on images of another shape.
  [[nodiscard]] Tensor features(const Tensor& images) const;
  [[nodiscard]] Tensor features(const Tensor& images, const at::Device& device) const;
  /// The most probable class of each image: int64 `[N]`.
  [[nodiscard]] Tensor classify(const Tensor& images) const;

 private:
  [[nodiscard]] FeatureOutput run(const Tensor& images, const at::Device& device) const;

  FeatureConfig config_;
  Weights weights_;  ///< on the CPU
  std::string name_, sha256_;
};

struct FeatureTraining {
  int64_t epochs = 60;
  int64_t batch = 64;
  double learning_rate = 2e-3;
  double weight_decay = 0.05;
  double dropout = 0.3;    ///< of the features
  double noise = 0.1;      ///< standard deviation of the noise added to the images
  bool flip = false;       ///< mirror every second image, at random
  int64_t shift = 0;       ///< move images by up to so many pixels each way, at random; what enters repeats the edge
  double smoothing = 0.0;  ///< of the labels (Szegedy et al. 2016, arXiv:1512.00567, §7)
  at::ScalarType dtype = at::kFloat;  ///< of the network's arithmetic
  bool captured = true;               ///< on CUDA: the step as one graph (feature_steps.h)
  double test_share = 0.2;  ///< of the images, chosen by the seed, never trained on; without test images of their own
  uint64_t seed = 0;
  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

struct TrainedFeatures {
  FeatureConfig config;
  Weights weights;  ///< float32 on the CPU
  double train_accuracy = 0.0, test_accuracy = 0.0;
  int64_t test_images = 0;
  bool stopped = false;
};

/// Trains a feature network on labelled images, and counts how many of `test` it knows (none: of a part of `data` that
/// it did not see). Throws UsageError without labels, QualityError when the loss stops being finite.
[[nodiscard]] TrainedFeatures train_features(const FeatureConfig& config, const ImageData& data,
                                             const FeatureTraining& training, const ProgressFn& progress,
                                             const at::Device& device = at::kCPU, const ImageData* test = nullptr);

/// Writes the network in `dtype`.
void write_features(const std::string& path, const TrainedFeatures& trained, const std::string& name,
                    at::ScalarType dtype = at::kFloat, const std::map<std::string, std::string>& facts = {});

}  // namespace stride
