#include "neural/training/feature_steps.h"

#include "neural/training/adam.h"
#include "neural/training/batch_order.h"
#include "neural/training/random.h"
#include "neural/training/training_draws.h"
#include "neural/training/training_graph.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <limits>
#include <utility>

namespace stride {
namespace {

constexpr uint64_t kNoise = 0x6e6f6973;
constexpr int64_t kWarmUp = 50;  // steps
enum : int64_t { kPixels, kDropout };

double rate_of(const FeatureTraining& training, int64_t step, int64_t total) {
  return training.learning_rate * warmup_cosine(step, kWarmUp, total);
}

// How far each image moves, from −shift to shift: int64 [B, 1], on the CPU.
Tensor moves(int64_t batch, int64_t shift, at::Generator generator) {
  return at::randint(-shift, shift + 1, {batch, 1}, generator, at::kLong);
}

// Each image moved by its own whole numbers of pixels; what enters repeats the edge.
Tensor shifted(const Tensor& images, const Tensor& down, const Tensor& right) {
  const int64_t batch = images.size(0), height = images.size(2), width = images.size(3);
  const auto indices = [&](int64_t size, const Tensor& move) {
    return (at::arange(size, move.options()).unsqueeze(0) + move).clamp(0, size - 1).to(images.device());
  };
  const Tensor rows = indices(height, down).view({batch, 1, height, 1}).expand(images.sizes());
  const Tensor columns = indices(width, right).view({batch, 1, 1, width}).expand(images.sizes());
  return images.gather(2, rows).gather(3, columns);
}

Tensor loss_of(const FeatureConfig& config, const Weights& weights, const Tensor& images, const Tensor& labels,
               const FeatureTraining& training, const Tensor& mask) {
  const Tensor logits =
      feature_forward(config, weights, images.to(training.dtype), 1.0 - training.dropout, mask).logits;
  return at::cross_entropy_loss(logits.to(at::kFloat), labels, {}, at::Reduction::Mean, -100, training.smoothing);
}

class PlainFeatureTraining final : public TrainingStep {
 public:
  PlainFeatureTraining(const FeatureConfig& config, LabelledImages data, const FeatureTraining& training)
      : config_(config),
        data_(std::move(data)),
        training_(training),
        layout_(feature_layout(config)),
        order_(training.seed, data_.images.size(0), training.batch),
        flat_(initial_parameters(layout_, training.seed).to(data_.images.device())),
        adam_(AdamState::zero(flat_)),
        total_(feature_steps(training, data_.images.size(0))) {}

  void advance() override {
    const at::Device device = data_.images.device();
    auto generator = make_generator(training_.seed, static_cast<uint64_t>(adam_.step), kNoise);
    const Tensor rows = order_.indices(adam_.step).to(device);
    Tensor images = data_.images.index_select(0, rows);
    if (training_.shift > 0) {
      const Tensor down = moves(rows.size(0), training_.shift, generator);
      images = shifted(images, down, moves(rows.size(0), training_.shift, generator));
    }
    if (training_.flip) images = mirrored(images, at::rand({rows.size(0)}, generator, at::kFloat) < 0.5);
    if (training_.noise > 0.0)
      images = images + at::randn(images.sizes(), generator, at::kFloat).to(device) * training_.noise;
    Tensor mask;
    if (training_.dropout > 0.0)
      mask = (at::rand({rows.size(0), config_.features}, generator, at::kFloat) < 1.0 - training_.dropout)
                 .to(device, training_.dtype);
    const Tensor leaf = flat_.detach().requires_grad_();
    const Tensor loss =
        loss_of(config_, unpack(layout_, leaf), images, data_.labels.index_select(0, rows), training_, mask);
    const Tensor gradient = torch::autograd::grad({loss}, {leaf})[0];
    const AdamOptions options{.weight_decay = training_.weight_decay};
    AdamUpdate update = adam_update(leaf.detach(), gradient, adam_, rate_of(training_, adam_.step, total_), options);
    flat_ = update.parameters;
    adam_ = update.state;
    sum_ = pending_ == 0 ? loss.detach() : sum_ + loss.detach();
    ++pending_;
  }
  [[nodiscard]] int64_t step() const noexcept override { return adam_.step; }
  [[nodiscard]] double mean_loss() override {
    const auto steps = static_cast<double>(std::exchange(pending_, 0));
    return steps == 0.0 ? std::numeric_limits<double>::quiet_NaN() : sum_.item<double>() / steps;
  }
  [[nodiscard]] TrainingState state() const override { return {flat_, flat_, adam_}; }

 private:
  FeatureConfig config_;
  LabelledImages data_;
  FeatureTraining training_;
  Layout layout_;
  BatchOrder order_;
  Tensor flat_, sum_;
  AdamState adam_;
  int64_t total_;
  int64_t pending_ = 0;  ///< steps in sum_
};

class CapturedFeatureTraining final : public TrainingStep {
 public:
  CapturedFeatureTraining(const FeatureConfig& config, LabelledImages data, const FeatureTraining& training)
      : training_(training),
        order_(training.seed, data.images.size(0), training.batch),
        total_(feature_steps(training, data.images.size(0))),
        graph_(
            feature_layout(config), TrainingState::fresh(initial_parameters(feature_layout(config), training.seed)),
            {{.weight_decay = training.weight_decay}, training.dtype, kColumns * training.batch},
            [config, data, training](const Weights& leaves, const Tensor& input) {
              return loss(config, data, training, leaves, input);
            },
            data.images.device()) {}

  void advance() override {
    const int64_t at = step(), batch = training_.batch;
    auto generator = make_generator(training_.seed, static_cast<uint64_t>(at), kNoise);
    std::vector<Tensor> columns(kColumns);
    columns[kRow] = order_.indices(at);
    columns[kDown] = moves(batch, training_.shift, generator).flatten();
    columns[kRight] = moves(batch, training_.shift, generator).flatten();
    columns[kMirror] = at::randint(0, 2, {batch}, generator, at::kLong);
    columns[kId] = at::arange(at * batch, (at + 1) * batch, at::kLong);
    graph_.advance(at::cat(columns), rate_of(training_, at, total_), /*average_keeps=*/0.0);
  }
  [[nodiscard]] int64_t step() const noexcept override { return graph_.step(); }
  [[nodiscard]] double mean_loss() override { return graph_.mean_loss(); }
  [[nodiscard]] TrainingState state() const override { return graph_.state(); }

 private:
  enum : int64_t { kRow, kDown, kRight, kMirror, kId, kColumns };  // of the step's input, `batch` numbers each

  static Tensor loss(const FeatureConfig& config, const LabelledImages& data, const FeatureTraining& training,
                     const Weights& leaves, const Tensor& input) {
    const auto column = [&](int64_t which) { return input.narrow(0, which * training.batch, training.batch); };
    const Tensor rows = column(kRow), ids = column(kId);
    Tensor images = data.images.index_select(0, rows);
    if (training.shift > 0) images = shifted(images, column(kDown).unsqueeze(1), column(kRight).unsqueeze(1));
    if (training.flip) images = mirrored(images, column(kMirror) > 0);
    if (training.noise > 0.0)
      images = images +
               training_normals(training.seed, ids, kPixels, images[0].numel()).view(images.sizes()) * training.noise;
    Tensor mask;
    if (training.dropout > 0.0)
      mask = (training_normals(training.seed, ids, kDropout, config.features) < normal_quantile(1.0 - training.dropout))
                 .to(training.dtype);
    return loss_of(config, leaves, images, data.labels.index_select(0, rows), training, mask);
  }

  FeatureTraining training_;
  BatchOrder order_;
  int64_t total_;
  TrainingGraph graph_;
};

}  // namespace

int64_t feature_steps(const FeatureTraining& training, int64_t images) noexcept {
  return training.epochs * ((images + training.batch - 1) / training.batch);
}

std::unique_ptr<TrainingStep> plain_feature_training(const FeatureConfig& config, LabelledImages data,
                                                     const FeatureTraining& training) {
  return std::make_unique<PlainFeatureTraining>(config, std::move(data), training);
}

std::unique_ptr<TrainingStep> captured_feature_training(const FeatureConfig& config, LabelledImages data,
                                                        const FeatureTraining& training) {
  return std::make_unique<CapturedFeatureTraining>(config, std::move(data), training);
}

}  // namespace stride
