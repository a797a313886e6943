#include "framework/error.h"
#include "neural/adam.h"
#include "neural/batch_order.h"
#include "neural/features.h"
#include "neural/random.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

namespace stride {
namespace {

constexpr uint64_t kSplit = 0x73706c69, kNoise = 0x6e6f6973;

double accuracy(const FeatureConfig& config, const Weights& weights, const Tensor& images, const Tensor& labels) {
  const at::NoGradGuard no_grad;
  return feature_forward(config, weights, images).logits.argmax(1).eq(labels).to(at::kDouble).mean().item<double>();
}

}  // namespace

std::string FeatureTraining::invalid_reason() const {
  if (epochs < 1) return "epochs must be positive";
  if (batch < 1) return "batch must be positive";
  if (!(learning_rate > 0.0)) return "learning_rate must be positive";
  if (!(weight_decay >= 0.0)) return "weight_decay must not be negative";
  if (!(dropout >= 0.0 && dropout < 1.0)) return "dropout must lie in [0, 1)";
  if (!(noise >= 0.0)) return "noise must not be negative";
  if (!(test_share > 0.0 && test_share < 1.0)) return "test_share must lie between 0 and 1";
  return "";
}

TrainedFeatures train_features(const FeatureConfig& config, const ImageData& data, const FeatureTraining& training,
                               const ProgressFn& progress) {
  std::string reason = training.invalid_reason();
  if (reason.empty()) reason = config.invalid_reason();
  if (!reason.empty()) throw UsageError("feature network: " + reason);
  if (!data.labels.defined()) throw UsageError("feature network: the images have no labels to learn from");
  if (data.classes != config.classes || data.shape() != config.shape)
    throw UsageError("feature network: the images' shape or number of classes is not the network's");
  const auto test_size = static_cast<int64_t>(std::lround(training.test_share * static_cast<double>(data.size())));
  if (test_size < 1 || test_size >= data.size()) throw UsageError("feature network: too few images to split");

  auto split = make_generator(training.seed, 0, kSplit);
  const Tensor order = at::randperm(data.size(), split, at::kLong);
  const Tensor test_rows = order.narrow(0, 0, test_size);
  const Tensor train_rows = order.narrow(0, test_size, data.size() - test_size);
  const Tensor images = data.images.index_select(0, train_rows);
  const Tensor labels = data.labels.index_select(0, train_rows);

  const Layout layout = feature_layout(config);
  Tensor flat = initial_parameters(layout, training.seed);
  AdamState state = AdamState::zero(flat);
  const AdamOptions adam{.weight_decay = training.weight_decay};
  const BatchOrder batches(training.seed, images.size(0), training.batch);
  const int64_t total = training.epochs * ((images.size(0) + training.batch - 1) / training.batch);
  const double keep = 1.0 - training.dropout;

  TrainedFeatures result;
  result.config = config;
  while (state.step < total && !result.stopped) {
    auto generator = make_generator(training.seed, static_cast<uint64_t>(state.step), kNoise);
    const Tensor rows = batches.indices(state.step);
    const Tensor clean = images.index_select(0, rows);
    const Tensor noisy = clean + at::randn(clean.sizes(), generator, at::kFloat) * training.noise;
    const Tensor mask = (at::rand({rows.size(0), config.features}, generator, at::kFloat) < keep).to(at::kFloat);
    const Tensor leaf = flat.detach().requires_grad_();
    const Tensor logits = feature_forward(config, unpack(layout, leaf), noisy, keep, mask).logits;
    const Tensor loss = at::cross_entropy_loss(logits, labels.index_select(0, rows));
    if (!std::isfinite(loss.item<double>()))
      throw QualityError("feature network: the loss is not finite; try a lower learning rate");
    const Tensor gradient = torch::autograd::grad({loss}, {leaf})[0];
    const double rate = training.learning_rate * warmup_cosine(state.step, 50, total);
    AdamUpdate update = adam_update(leaf.detach(), gradient, state, rate, adam);
    flat = update.parameters;
    state = update.state;
    if (progress && !progress(state.step, total, fmt::format("loss {:.4f}", loss.item<double>())))
      result.stopped = state.step < total;
  }
  result.weights = convert(unpack(layout, flat), at::kCPU, at::kFloat);
  result.train_accuracy = accuracy(config, result.weights, images, labels);
  result.test_accuracy =
      accuracy(config, result.weights, data.images.index_select(0, test_rows), data.labels.index_select(0, test_rows));
  result.test_images = test_size;
  return result;
}

void write_features(const std::string& path, const TrainedFeatures& trained, const std::string& name,
                    const std::map<std::string, std::string>& facts) {
  check_weights(feature_layout(trained.config), trained.weights, path);
  std::map<std::string, std::string> metadata = facts;
  metadata["network"] = trained.config.to_json();
  metadata["name"] = name;
  write_safetensors(path, trained.weights, metadata);
}

}  // namespace stride
