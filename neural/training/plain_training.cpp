#include "neural/training/batch_order.h"
#include "neural/training/edm_objective.h"
#include "neural/training/random.h"
#include "neural/training/training_draws.h"
#include "neural/training/training_step.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stride {
namespace {

class PlainTraining final : public TrainingStep {
 public:
  PlainTraining(const UNetConfig& config, const ImageData& data, const DenoiserTraining& training, TrainingState start,
                const at::Device& device)
      : config_(config),
        training_(training),
        layout_(unet_layout(config)),
        data_(data),
        images_(data.stored().to(device)),
        labels_(config.classes > 0 ? data.labels.to(device) : Tensor()),
        order_(training.seed, data.size(), training.batch),
        state_(std::move(start)) {}

  void advance() override {
    const int64_t step = state_.adam.step;
    const Tensor rows = order_.indices(step).to(images_.device());
    Tensor batch = data_.scaled(images_.index_select(0, rows));
    at::Generator generator = make_generator(training_.seed, static_cast<uint64_t>(step), kTrainingNoise);
    EdmDraws draws =
        edm_draws(training_, batch, labels_.defined() ? labels_.index_select(0, rows) : Tensor(), generator);
    if (training_.flip) batch = mirrored(batch, at::rand({batch.size(0)}, generator, at::kFloat) < 0.5);
    draws.pass = regularised(training_, draws, generator);
    const Tensor leaf = state_.parameters.detach().requires_grad_();
    const Tensor loss = edm_loss(config_, unpack(layout_, leaf), batch, draws, training_.dtype);
    const Tensor gradient = torch::autograd::grad({loss}, {leaf})[0];

    const double rate = training_.learning_rate * warmup_cosine(step, training_.warmup, training_.steps());
    AdamUpdate update = adam_update(leaf.detach(), gradient, state_.adam, rate, adam_options(training_));
    state_.parameters = update.parameters;
    state_.adam = update.state;
    const double keep = average_keeps(training_, state_.adam.step);
    state_.average = state_.average * keep + state_.parameters * (1.0 - keep);
    pending_.push_back(loss.detach());
  }

  [[nodiscard]] int64_t step() const noexcept override { return state_.adam.step; }

  [[nodiscard]] double mean_loss() override {
    if (pending_.empty()) return std::numeric_limits<double>::quiet_NaN();
    const double loss = at::stack(pending_).mean().item<double>();
    pending_.clear();
    return loss;
  }

  [[nodiscard]] TrainingState state() const override { return state_; }

 private:
  UNetConfig config_;
  DenoiserTraining training_;
  Layout layout_;
  ImageData data_;
  Tensor images_, labels_;  ///< on the device; images as they are stored
  BatchOrder order_;
  TrainingState state_;
  std::vector<Tensor> pending_;  ///< losses since they were asked for
};

}  // namespace

std::unique_ptr<TrainingStep> plain_training(const UNetConfig& config, const ImageData& data,
                                             const DenoiserTraining& training, TrainingState start,
                                             const at::Device& device) {
  return std::make_unique<PlainTraining>(config, data, training, std::move(start), device);
}

double average_keeps(const DenoiserTraining& training, int64_t steps_done) noexcept {
  const double decay = std::pow(0.5, static_cast<double>(training.batch) / training.ema_half_life);
  const auto done = static_cast<double>(steps_done);
  return std::min(decay, done / (done + 10.0));
}

AdamOptions adam_options(const DenoiserTraining& training) noexcept {
  return {.beta2 = 0.99, .weight_decay = training.weight_decay, .clip = training.clip};
}

}  // namespace stride
