#include "framework/error.h"
#include "neural/networks/features.h"
#include "neural/training/feature_steps.h"
#include "neural/training/random.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <cmath>

namespace stride {
namespace {

constexpr uint64_t kSplit = 0x73706c69;
constexpr int64_t kChunk = 2048;
constexpr int64_t kLookEvery = 50;  // steps; the loss is looked at, and the device waited for, only then

double accuracy(const FeatureConfig& config, const Weights& weights, const Tensor& images, const Tensor& labels) {
  const at::NoGradGuard no_grad;
  int64_t right = 0;
  for (int64_t at = 0; at < images.size(0); at += kChunk) {
    const Tensor logits = feature_forward(config, weights, images.slice(0, at, at + kChunk)).logits;
    right += logits.argmax(1).eq(labels.slice(0, at, at + kChunk)).sum().item<int64_t>();
  }
  return static_cast<double>(right) / static_cast<double>(images.size(0));
}

}  // namespace

std::string FeatureTraining::invalid_reason() const {
  if (epochs < 1) return "`epochs` must be positive";
  if (batch < 1) return "`minibatch` must be positive";
  if (!(learning_rate > 0.0 && learning_rate < 10.0))
    return fmt::format("`learning_rate` must lie between 0 and 10, not {}", learning_rate);
  if (!(weight_decay >= 0.0)) return "weight_decay must not be negative";
  if (!(dropout >= 0.0 && dropout < 1.0)) return "`dropout` must lie in [0, 1)";
  if (!(noise >= 0.0)) return "`noise` must not be negative";
  if (shift < 0 || shift > 1024) return "`shift` must lie between 0 and 1024";
  if (!(smoothing >= 0.0 && smoothing < 1.0)) return "`smoothing` must lie in [0, 1)";
  if (!(test_share > 0.0 && test_share < 1.0)) return "test_share must lie between 0 and 1";
  return "";
}

TrainedFeatures train_features(const FeatureConfig& config, const ImageData& data, const FeatureTraining& training,
                               const ProgressFn& progress, const at::Device& device, const ImageData* test) {
  std::string reason = training.invalid_reason();
  if (reason.empty()) reason = config.invalid_reason();
  if (!reason.empty()) throw UsageError("feature network: " + reason);
  if (!data.labels.defined()) throw UsageError("feature network: the images have no labels to learn from");
  if (data.classes != config.classes || data.shape() != config.shape)
    throw UsageError("feature network: the images' shape or number of classes is not the network's");
  Tensor images = data.images, labels = data.labels, test_images, test_labels;
  if (test != nullptr) {
    if (!test->labels.defined() || test->classes != config.classes || test->shape() != config.shape)
      throw UsageError("feature network: the test images' labels or shape are not those of the training's");
    test_images = test->images;
    test_labels = test->labels;
  } else {
    const auto test_size = static_cast<int64_t>(std::lround(training.test_share * static_cast<double>(data.size())));
    if (test_size < 1 || test_size >= data.size()) throw UsageError("feature network: too few images to split");
    auto split = make_generator(training.seed, 0, kSplit);
    const Tensor order = at::randperm(data.size(), split, at::kLong);
    const Tensor test_rows = order.narrow(0, 0, test_size);
    const Tensor train_rows = order.narrow(0, test_size, data.size() - test_size);
    images = data.images.index_select(0, train_rows);
    labels = data.labels.index_select(0, train_rows);
    test_images = data.images.index_select(0, test_rows);
    test_labels = data.labels.index_select(0, test_rows);
  }
  images = images.to(device);
  labels = labels.to(device);

  const int64_t total = feature_steps(training, images.size(0));
  const auto run = device.is_cuda() && training.captured ? captured_feature_training(config, {images, labels}, training)
                                                         : plain_feature_training(config, {images, labels}, training);
  TrainedFeatures result;
  result.config = config;
  double seen = 0.0;
  while (run->step() < total && !result.stopped) {
    const bool look = run->step() % kLookEvery == 0 || run->step() + 1 == total;
    run->advance();
    if (look) {
      seen = run->mean_loss();
      if (!std::isfinite(seen))
        throw QualityError("feature network: the loss is not finite; try a lower learning rate");
    }
    if (progress && !progress(run->step(), total, fmt::format("loss {:.4f}", seen)))
      result.stopped = run->step() < total;
  }
  const Weights trained = convert(unpack(feature_layout(config), run->state().parameters), device, at::kFloat);
  result.train_accuracy = accuracy(config, trained, images, labels);
  result.test_accuracy = accuracy(config, trained, test_images.to(device), test_labels.to(device));
  result.test_images = test_images.size(0);
  result.weights = convert(trained, at::kCPU, at::kFloat);
  return result;
}

void write_features(const std::string& path, const TrainedFeatures& trained, const std::string& name,
                    at::ScalarType dtype, const std::map<std::string, std::string>& facts) {
  check_weights(feature_layout(trained.config), trained.weights, path);
  std::map<std::string, std::string> metadata = facts;
  metadata["network"] = trained.config.to_json();
  metadata["name"] = name;
  write_safetensors(path, convert(trained.weights, at::kCPU, dtype), metadata);
}

}  // namespace stride
