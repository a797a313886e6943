#include "framework/error.h"
#include "neural/adam.h"
#include "neural/batch_order.h"
#include "neural/features.h"
#include "neural/random.h"
#include "neural/training_draws.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

namespace stride {
namespace {

constexpr uint64_t kSplit = 0x73706c69, kNoise = 0x6e6f6973;

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

// Each image moved by its own whole numbers of pixels, from −shift to shift.
Tensor shifted(const Tensor& images, int64_t shift, at::Generator generator) {
  const int64_t batch = images.size(0), height = images.size(2), width = images.size(3);
  const auto indices = [&](int64_t size) {
    const Tensor move = at::randint(-shift, shift + 1, {batch, 1}, generator, at::kLong);
    return (at::arange(size, at::kLong).unsqueeze(0) + move).clamp(0, size - 1).to(images.device());
  };
  const Tensor rows = indices(height).view({batch, 1, height, 1}).expand(images.sizes());
  const Tensor columns = indices(width).view({batch, 1, 1, width}).expand(images.sizes());
  return images.gather(2, rows).gather(3, columns);
}

}  // namespace

std::string FeatureTraining::invalid_reason() const {
  if (epochs < 1) return "epochs must be positive";
  if (batch < 1) return "batch must be positive";
  if (!(learning_rate > 0.0)) return "learning_rate must be positive";
  if (!(weight_decay >= 0.0)) return "weight_decay must not be negative";
  if (!(dropout >= 0.0 && dropout < 1.0)) return "dropout must lie in [0, 1)";
  if (!(noise >= 0.0)) return "noise must not be negative";
  if (shift < 0 || shift > 1024) return "shift must lie between 0 and 1024";
  if (!(smoothing >= 0.0 && smoothing < 1.0)) return "smoothing must lie in [0, 1)";
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

  const Layout layout = feature_layout(config);
  Tensor flat = initial_parameters(layout, training.seed).to(device);
  AdamState state = AdamState::zero(flat);
  const AdamOptions adam{.weight_decay = training.weight_decay};
  const BatchOrder batches(training.seed, images.size(0), training.batch);
  const int64_t total = training.epochs * ((images.size(0) + training.batch - 1) / training.batch);
  const double keep = 1.0 - training.dropout;

  TrainedFeatures result;
  result.config = config;
  double seen = 0.0;
  while (state.step < total && !result.stopped) {
    auto generator = make_generator(training.seed, static_cast<uint64_t>(state.step), kNoise);
    const Tensor rows = batches.indices(state.step).to(device);
    Tensor clean = images.index_select(0, rows);
    if (training.shift > 0) clean = shifted(clean, training.shift, generator);
    if (training.flip) clean = mirrored(clean, at::rand({rows.size(0)}, generator, at::kFloat) < 0.5);
    const Tensor noisy = clean + at::randn(clean.sizes(), generator, at::kFloat).to(device) * training.noise;
    const Tensor mask =
        (at::rand({rows.size(0), config.features}, generator, at::kFloat) < keep).to(device, training.dtype);
    const Tensor leaf = flat.detach().requires_grad_();
    const Tensor logits =
        feature_forward(config, unpack(layout, leaf), noisy.to(training.dtype), keep, mask).logits.to(at::kFloat);
    const Tensor loss =
        at::cross_entropy_loss(logits, labels.index_select(0, rows), {}, at::Reduction::Mean, -100, training.smoothing);
    if (state.step % kLookEvery == 0 || state.step + 1 == total) {
      seen = loss.item<double>();
      if (!std::isfinite(seen))
        throw QualityError("feature network: the loss is not finite; try a lower learning rate");
    }
    const Tensor gradient = torch::autograd::grad({loss}, {leaf})[0];
    const double rate = training.learning_rate * warmup_cosine(state.step, 50, total);
    AdamUpdate update = adam_update(leaf.detach(), gradient, state, rate, adam);
    flat = update.parameters;
    state = update.state;
    if (progress && !progress(state.step, total, fmt::format("loss {:.4f}", seen))) result.stopped = state.step < total;
  }
  const Weights trained = convert(unpack(layout, flat), device, at::kFloat);
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
