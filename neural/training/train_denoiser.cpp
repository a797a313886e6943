#include "neural/training/train_denoiser.h"

#include "framework/error.h"
#include "neural/training/checkpoint.h"
#include "neural/training/random.h"
#include "neural/training/training_draws.h"
#include "neural/training/training_step.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace stride {
namespace {

constexpr int64_t kRecordEvery = 100;  // steps; the loss is looked at (and the host waits) only then
constexpr double kDiverged = 10.0;     // a loss so many times the least one before it

std::string identity(const UNetConfig& config, const ImageData& data, const DenoiserTraining& training) {
  // What came later is named only where it is not as it was.
  std::string more;
  if (training.weight_decay != 0.0) more += fmt::format(R"(, "weight_decay": {})", training.weight_decay);
  if (training.flip) more += R"(, "flip": true)";
  if (training.dtype != at::kFloat) more += fmt::format(R"(, "dtype": "{}")", c10::toString(training.dtype));
  return fmt::format(
      R"({{"network": {}, "data": "{}", "images": {}, "batch": {}, "learning_rate": {}, "warmup": {}, "ema_half_life": {}, )"
      R"("dropout": {}, "class_dropout": {}, "log_sigma": [{}, {}], "clip": {}, "seed": {}{}}})",
      config.to_json(), data.sha256, training.images, training.batch, training.learning_rate, training.warmup,
      training.ema_half_life, training.dropout, training.class_dropout, training.log_sigma_mean, training.log_sigma_std,
      training.clip, training.seed, more);
}

void check_fit(const UNetConfig& config, const ImageData& data) {
  const std::string reason = config.invalid_reason();
  if (!reason.empty()) throw UsageError("the network: " + reason);
  if (config.image_channels != data.shape()[0])
    throw UsageError(
        fmt::format("the network takes {} channels, the images have {}", config.image_channels, data.shape()[0]));
  if (config.classes != 0 && config.classes != data.classes)
    throw UsageError(fmt::format("the network has {} classes, the images have {}", config.classes, data.classes));
}

}  // namespace

std::string DenoiserTraining::invalid_reason() const {
  if (batch < 1) return "`minibatch` must be positive";
  if (images < batch) return "`images` must be at least one batch";
  if (!(learning_rate > 0.0 && learning_rate < 10.0))
    return fmt::format("`learning_rate` must lie between 0 and 10, not {}", learning_rate);
  if (warmup < 0) return "`warmup` must not be negative";
  if (!(ema_half_life > 0.0)) return "`ema_half_life` must be positive";
  if (!(dropout >= 0.0 && dropout < 1.0)) return "`dropout` must lie in [0, 1)";
  if (!(class_dropout >= 0.0 && class_dropout <= 1.0)) return "`class_dropout` must lie in [0, 1]";
  if (!std::isfinite(log_sigma_mean) || !(log_sigma_std > 0.0 && log_sigma_std < 100.0))
    return "`log_sigma_mean` must be finite and `log_sigma_std` positive";
  if (!(clip >= 0.0)) return "clip must not be negative";
  if (!(weight_decay >= 0.0)) return "weight_decay must not be negative";
  if (dtype != at::kFloat && dtype != at::kBFloat16 && dtype != at::kHalf)
    return "dtype must be float32, bfloat16 or float16";
  if (recompute && dropout > 0.0) return "`recompute` needs `dropout` = 0: a mask would be drawn twice";
  if (checkpoint_every < 1) return "`checkpoint_every` must be positive";
  return "";
}

TrainedDenoiser train_denoiser(const UNetConfig& config, const ImageData& data, const DenoiserTraining& training,
                               const std::string& checkpoint, const at::Device& device, const TrainingHooks& hooks) {
  const std::string reason = training.invalid_reason();
  if (!reason.empty()) throw UsageError("training: " + reason);
  check_fit(config, data);

  const Layout layout = unet_layout(config);
  const std::string name = identity(config, data, training);
  const int64_t total = training.steps();
  if (training.dtype == at::kHalf && !device.is_cuda())
    throw UsageError("training in float16 needs CUDA (its loss is scaled there); use float32 or bfloat16");

  auto found = load_checkpoint(checkpoint, name, count(layout), device);
  TrainingState start =
      found ? *std::move(found) : TrainingState::fresh(initial_parameters(layout, training.seed).to(device));
  const bool captured = device.is_cuda() && training.captured;
  const int64_t first = start.adam.step;
  const std::unique_ptr<TrainingStep> run = captured ? captured_training(config, data, training, start, device)
                                                     : plain_training(config, data, training, std::move(start), device);

  TrainedDenoiser result;
  const auto begin = std::chrono::steady_clock::now();
  double least = std::numeric_limits<double>::infinity();
  int64_t recorded = first;
  std::string note;
  const auto record = [&] {
    if (run->step() == recorded) return;
    recorded = run->step();
    const double loss = run->mean_loss();
    if (!(loss < kDiverged * least + 1e-3))
      throw QualityError(
          fmt::format("training stopped: the loss {} after {} steps. Try a lower learning rate{}",
                      std::isfinite(loss) ? fmt::format("went from {:.4g} to {:.4g}", least, loss) : "is not finite",
                      recorded, checkpoint.empty() ? "" : "; the last checkpoint is kept"));
    least = std::min(least, loss);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const double speed = static_cast<double>((recorded - first) * training.batch) / seconds;
    result.losses.push_back({recorded, loss, speed});
    note = fmt::format("loss {:.4f}, {:.0f} images/s", loss, speed);
    if (hooks.recorded) hooks.recorded(result.losses.back());
  };

  while (run->step() < total) {
    run->advance();
    const int64_t step = run->step();
    const bool last = step == total;
    if (last || step % kRecordEvery == 0) record();
    const bool go_on = !hooks.progress || hooks.progress(step, total, note);
    result.stopped = !go_on && !last;
    // Before the checkpoint: a run that is killed at a look goes on from before it, and makes it again.
    if (hooks.look && (last || step % training.look_every == 0))
      hooks.look(step, convert(unpack(layout, run->state().average), device, at::kFloat));
    if (!checkpoint.empty() && (last || result.stopped || step % training.checkpoint_every == 0)) {
      record();
      save_checkpoint(checkpoint, run->state(), name);
    }
    if (result.stopped) break;
  }
  result.steps = run->step();
  result.weights = convert(unpack(layout, run->state().average), at::kCPU, at::kFloat);
  return result;
}

DenoiserResiduals denoiser_residuals(const UNetConfig& config, const Weights& weights, const ImageData& data,
                                     const DenoiserTraining& training, uint64_t repeat) {
  check_fit(config, data);
  const at::NoGradGuard no_grad;
  const at::Device device = weights.begin()->second.device();
  const Tensor images = data.scaled(data.stored().to(device));
  const Tensor labels = config.classes > 0 ? data.labels.to(device) : Tensor();
  const EdmDraws draws = edm_draws(training, images, labels, make_generator(training.seed, repeat, kEvaluationNoise));
  DenoiserResiduals result;
  result.loss = edm_residual(config, weights, images, draws, at::kFloat).flatten(1).mean(1).cpu();
  result.sigma = draws.log_sigma.exp().cpu();
  return result;
}

double denoiser_loss(const UNetConfig& config, const Weights& weights, const ImageData& data,
                     const DenoiserTraining& training, int64_t repeats, const std::function<void()>& pause) {
  check_fit(config, data);
  const at::NoGradGuard no_grad;
  const at::Device device = weights.begin()->second.device();
  constexpr int64_t kChunk = 2048;
  double sum = 0.0;
  for (int64_t i = 0; i < repeats; ++i) {
    const at::Generator generator = make_generator(training.seed, static_cast<uint64_t>(i), kEvaluationNoise);
    double mean = 0.0;
    for (int64_t at = 0; at < data.size(); at += kChunk) {
      if (pause) pause();
      const Tensor images = data.scaled(data.stored().slice(0, at, at + kChunk).to(device));
      const Tensor labels = config.classes > 0 ? data.labels.slice(0, at, at + kChunk).to(device) : Tensor();
      const EdmDraws draws = edm_draws(training, images, labels, generator);
      const double share = static_cast<double>(images.size(0)) / static_cast<double>(data.size());
      mean += edm_loss(config, weights, images, draws, at::kFloat).item<double>() * share;
    }
    sum += mean;
  }
  return sum / static_cast<double>(repeats);
}

}  // namespace stride
