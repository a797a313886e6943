#include "neural/train_denoiser.h"

#include "framework/error.h"
#include "framework/parameterisation.h"
#include "neural/batch_order.h"
#include "neural/checkpoint.h"
#include "neural/random.h"
#include "neural/unet.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

constexpr uint64_t kTrainingNoise = 1, kEvaluationNoise = 2;
constexpr int64_t kRecordEvery = 100;  // steps; the loss is looked at (and the host waits) only then

// What a step draws, all of it from one stream.
struct Draws {
  Tensor noise, log_sigma, labels;
  Regulariser dropout;
};

Draws draw(const DenoiserTraining& training, const Tensor& images, const Tensor& labels, bool regularise,
           at::Generator generator) {
  const auto device = images.device();
  const int64_t batch = images.size(0);
  Draws draws;
  draws.noise = at::randn(images.sizes(), generator, at::kFloat).to(device);
  draws.log_sigma =
      at::randn({batch}, generator, at::kDouble).mul(training.log_sigma_std).add(training.log_sigma_mean).to(device);
  draws.labels = labels;
  if (!regularise) return draws;
  if (labels.defined() && training.class_dropout > 0.0) {
    const Tensor keep = (at::rand({batch}, generator, at::kFloat) >= training.class_dropout).to(device);
    draws.labels = at::where(keep, labels, at::full_like(labels, -1));
  }
  if (training.dropout > 0.0) {
    const double keep = 1.0 - training.dropout;
    draws.dropout = [generator, keep](const Tensor& h) {
      const Tensor mask = (at::rand(h.sizes(), generator, at::kFloat) < keep).to(h.device());
      return h * mask.to(h.scalar_type()) / keep;
    };
  }
  return draws;
}

// E λ(σ)‖D − y‖² over one batch, a scalar.
Tensor edm_loss(const UNetConfig& config, const Weights& weights, const Tensor& images, const Draws& draws) {
  const Times sigma = draws.log_sigma.exp();
  const Scalings scalings = make_parameterisation("edm", config.sigma_data)->at(sigma);
  const Tensor noisy = images + per_sample(sigma, images) * draws.noise;
  const Tensor output = unet_forward(config, weights, per_sample(scalings.in, images) * noisy, draws.log_sigma / 4.0,
                                     draws.labels, draws.dropout);
  const Tensor denoised = per_sample(scalings.skip, images) * noisy + per_sample(scalings.out, images) * output;
  const double variance = config.sigma_data * config.sigma_data;
  const Tensor weight = (sigma * sigma + variance) / (sigma * sigma * variance);
  return (per_sample(weight, images) * (denoised - images).square()).mean();
}

std::string identity(const UNetConfig& config, const ImageData& data, const DenoiserTraining& training) {
  return fmt::format(
      R"({{"network": {}, "data": "{}", "images": {}, "batch": {}, "learning_rate": {}, "warmup": {}, "ema_half_life": {}, )"
      R"("dropout": {}, "class_dropout": {}, "log_sigma": [{}, {}], "clip": {}, "seed": {}}})",
      config.to_json(), data.sha256, training.images, training.batch, training.learning_rate, training.warmup,
      training.ema_half_life, training.dropout, training.class_dropout, training.log_sigma_mean, training.log_sigma_std,
      training.clip, training.seed);
}

void check_fit(const UNetConfig& config, const ImageData& data) {
  const std::string reason = config.invalid_reason();
  if (!reason.empty()) throw UsageError("the network: " + reason);
  if (config.image_channels != data.images.size(1))
    throw UsageError(
        fmt::format("the network takes {} channels, the images have {}", config.image_channels, data.images.size(1)));
  if (config.classes != 0 && config.classes != data.classes)
    throw UsageError(fmt::format("the network has {} classes, the images have {}", config.classes, data.classes));
}

}  // namespace

std::string DenoiserTraining::invalid_reason() const {
  if (batch < 1) return "batch must be positive";
  if (images < batch) return "images must be at least one batch";
  if (!(learning_rate > 0.0 && learning_rate < 10.0)) return "learning_rate must be positive";
  if (warmup < 0) return "warmup must not be negative";
  if (!(ema_half_life > 0.0)) return "ema_half_life must be positive";
  if (!(dropout >= 0.0 && dropout < 1.0)) return "dropout must lie in [0, 1)";
  if (!(class_dropout >= 0.0 && class_dropout <= 1.0)) return "class_dropout must lie in [0, 1]";
  if (!std::isfinite(log_sigma_mean) || !(log_sigma_std > 0.0 && log_sigma_std < 100.0))
    return "log_sigma_mean must be finite and log_sigma_std positive";
  if (!(clip >= 0.0)) return "clip must not be negative";
  if (checkpoint_every < 1) return "checkpoint_every must be positive";
  return "";
}

TrainedDenoiser train_denoiser(const UNetConfig& config, const ImageData& data, const DenoiserTraining& training,
                               const std::string& checkpoint, const at::Device& device, const ProgressFn& progress) {
  const std::string reason = training.invalid_reason();
  if (!reason.empty()) throw UsageError("training: " + reason);
  check_fit(config, data);

  const Layout layout = unet_layout(config);
  const Tensor images = data.images.to(device);
  const Tensor labels = config.classes > 0 ? data.labels.to(device) : Tensor();
  const BatchOrder order(training.seed, data.size(), training.batch);
  const AdamOptions adam{.beta2 = 0.99, .clip = training.clip};
  const double decay = std::pow(0.5, static_cast<double>(training.batch) / training.ema_half_life);
  const std::string name = identity(config, data, training);
  const int64_t total = training.steps();

  TrainingState state;
  if (auto found = load_checkpoint(checkpoint, name, count(layout), device)) {
    state = *std::move(found);
  } else {
    state.parameters = initial_parameters(layout, training.seed).to(device);
    state.average = state.parameters;
    state.adam = AdamState::zero(state.parameters);
  }

  TrainedDenoiser result;
  std::vector<Tensor> pending;  // losses of the steps since the last record
  const auto record = [&] {
    if (pending.empty()) return;
    const double loss = at::stack(pending).mean().item<double>();
    if (!std::isfinite(loss))
      throw QualityError(
          fmt::format("training stopped: the loss is not finite after {} steps. Try a lower learning rate{}",
                      state.adam.step, checkpoint.empty() ? "" : "; the last checkpoint is kept"));
    result.losses.push_back({state.adam.step, loss});
    pending.clear();
  };

  while (state.adam.step < total) {
    const auto step = static_cast<uint64_t>(state.adam.step);
    const Tensor rows = order.indices(state.adam.step).to(device);
    const Tensor batch = images.index_select(0, rows);
    const Draws draws = draw(training, batch, labels.defined() ? labels.index_select(0, rows) : Tensor(), true,
                             make_generator(training.seed, step, kTrainingNoise));
    const Tensor leaf = state.parameters.detach().requires_grad_();
    const Tensor loss = edm_loss(config, unpack(layout, leaf), batch, draws);
    const Tensor gradient = torch::autograd::grad({loss}, {leaf})[0];

    const double rate = training.learning_rate * warmup_cosine(state.adam.step, training.warmup, total);
    AdamUpdate update = adam_update(leaf.detach(), gradient, state.adam, rate, adam);
    state.parameters = update.parameters;
    state.adam = update.state;
    // A short memory at first, so that the start does not linger in the average.
    const auto done = static_cast<double>(state.adam.step);
    const double keep = std::min(decay, done / (done + 10.0));
    state.average = state.average * keep + state.parameters * (1.0 - keep);
    pending.push_back(loss.detach());

    const bool last = state.adam.step == total;
    if (last || state.adam.step % kRecordEvery == 0) record();
    const bool go_on =
        !progress || progress(state.adam.step, total,
                              result.losses.empty() ? "" : fmt::format("loss {:.4f}", result.losses.back().loss));
    result.stopped = !go_on && !last;
    if (!checkpoint.empty() && (last || result.stopped || state.adam.step % training.checkpoint_every == 0)) {
      record();
      save_checkpoint(checkpoint, state, name);
    }
    if (result.stopped) break;
  }
  result.steps = state.adam.step;
  result.weights = convert(unpack(layout, state.average), at::kCPU, at::kFloat);
  return result;
}

double denoiser_loss(const UNetConfig& config, const Weights& weights, const ImageData& data,
                     const DenoiserTraining& training, int64_t repeats) {
  check_fit(config, data);
  const at::NoGradGuard no_grad;
  const Tensor labels = config.classes > 0 ? data.labels : Tensor();
  double sum = 0.0;
  for (int64_t i = 0; i < repeats; ++i) {
    const Draws draws = draw(training, data.images, labels, false,
                             make_generator(training.seed, static_cast<uint64_t>(i), kEvaluationNoise));
    sum += edm_loss(config, weights, data.images, draws).item<double>();
  }
  return sum / static_cast<double>(repeats);
}

}  // namespace stride
