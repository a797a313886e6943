#include "framework/error.h"
#include "framework/philox.h"
#include "neural/adam_cuda.h"
#include "neural/batch_order.h"
#include "neural/device_weights.h"
#include "neural/edm_objective.h"
#include "neural/training_draws.h"
#include "neural/training_step.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
// CUDAGraph.h needs CUDAGeneratorImpl.h before it.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/autograd.h>

#include <boost/math/special_functions/erf.hpp>

#include <cmath>
#include <limits>

namespace stride {
namespace {

constexpr int kWarmUpSteps = 3;
constexpr float kFirstScale = 65536.0f;                  // of a float16 loss
constexpr double kScaleGrowth = 1.0003466;               // 2^(1/2000)
enum : int64_t { kNoise, kFew };                         // families of a sample's draws
enum : int64_t { kLogSigma, kMirror, kHide, kFewSize };  // the few: one each

// cuDNN tries its algorithms and keeps the fastest, while this lives.
class Benchmark final {
 public:
  Benchmark() : before_(at::globalContext().benchmarkCuDNN()) { at::globalContext().setBenchmarkCuDNN(true); }
  ~Benchmark() { at::globalContext().setBenchmarkCuDNN(before_); }
  Benchmark(const Benchmark&) = delete;
  Benchmark& operator=(const Benchmark&) = delete;

 private:
  bool before_;
};

// The value that a unit normal stays below with probability p.
double normal_quantile(double p) { return std::sqrt(2.0) * boost::math::erf_inv(2.0 * p - 1.0); }

class CapturedTraining final : public TrainingStep {
 public:
  CapturedTraining(const UNetConfig& config, const ImageData& data, const DenoiserTraining& training,
                   const TrainingState& start, const at::Device& device)
      : config_(config),
        training_(training),
        weights_(unet_layout(config)),
        order_(training.seed, data.size(), training.batch),
        step_(start.adam.step) {
    const c10::cuda::CUDAGuard guard(device);
    const Benchmark benchmark;
    images_ = data.images.to(device);
    if (config.classes > 0) labels_ = data.labels.to(device);
    buffers_.parameters = weights_.packed(start.parameters.to(device)).clone();
    buffers_.average = weights_.packed(start.average.to(device)).clone();
    buffers_.mean = weights_.packed(start.adam.mean.to(device)).clone();
    buffers_.square = weights_.packed(start.adam.square.to(device)).clone();
    if (training.dtype != at::kFloat)
      buffers_.half = buffers_.parameters.narrow(0, 0, weights_.cast_size()).to(training.dtype);
    const auto floats = buffers_.parameters.options();
    rates_ = at::zeros({4}, floats);
    scale_ = at::full({1}, training.dtype == at::kHalf ? kFirstScale : 1.0f, floats);
    sums_ = at::zeros({2}, floats);
    input_ = at::zeros({training.batch + 1}, floats.dtype(at::kLong));
    places_ = at::arange(training.batch, floats.dtype(at::kLong));
    capture();
  }

  void advance() override {
    const c10::cuda::CUDAGuard guard(images_.device());
    load(step_);
    graph_.replay();
    ++step_;
    ++pending_;
  }

  [[nodiscard]] int64_t step() const noexcept override { return step_; }

  [[nodiscard]] double mean_loss() override {
    const Tensor sums = sums_.cpu();
    const auto loss = sums[0].item<double>(), skipped = sums[1].item<double>();
    const auto steps = static_cast<double>(pending_);
    sums_.zero_();
    pending_ = 0;
    // A training in which no step counts any more has diverged, whatever its loss.
    return steps == 0.0 || skipped >= steps ? std::numeric_limits<double>::quiet_NaN() : loss / steps;
  }

  [[nodiscard]] TrainingState state() const override {
    return {weights_.flat(buffers_.parameters),
            weights_.flat(buffers_.average),
            {weights_.flat(buffers_.mean), weights_.flat(buffers_.square), step_}};
  }

 private:
  // What changes from step to step, from the host: rows, the first sample's number, and the optimiser's numbers.
  void load(int64_t step) {
    const AdamOptions adam = adam_options(training_);
    const auto k = static_cast<double>(step + 1);
    const double rate = training_.learning_rate * warmup_cosine(step, training_.warmup, training_.steps());
    const Tensor numbers = at::tensor(
        {rate, 1.0 - std::pow(adam.beta1, k), 1.0 - std::pow(adam.beta2, k), average_keeps(training_, step + 1)},
        at::kFloat);
    const Tensor rows = at::cat({order_.indices(step), at::full({1}, step * training_.batch, at::kLong)});
    rates_.copy_(numbers.pin_memory(), /*non_blocking=*/true);
    input_.copy_(rows.pin_memory(), /*non_blocking=*/true);
  }

  void capture() {
    const std::vector<Tensor> changed = {buffers_.parameters, buffers_.average, buffers_.mean,
                                         buffers_.square,     scale_,           sums_};
    std::vector<Tensor> before;
    for (const Tensor& tensor : changed) before.push_back(tensor.clone());
    const Tensor half = buffers_.half.defined() ? buffers_.half.clone() : Tensor();
    load(step_);
    at::cuda::getCurrentCUDAStream().synchronize();
    const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
    const c10::cuda::CUDAStreamGuard stream(side);
    for (int i = 0; i < kWarmUpSteps; ++i) body();
    for (std::size_t i = 0; i < changed.size(); ++i) changed[i].copy_(before[i]);
    if (half.defined()) buffers_.half.copy_(half);
    side.synchronize();
    c10::cuda::CUDACachingAllocator::emptyCache();  // the graph has memory of its own
    graph_.capture_begin();
    body();
    graph_.capture_end();
    side.synchronize();
  }

  void body() {
    const Tensor rows = input_.narrow(0, 0, training_.batch);
    const Tensor ids = input_.narrow(0, training_.batch, 1) + places_;
    Tensor batch = images_.index_select(0, rows);
    const Tensor few = normals(ids, kFew, kFewSize);
    EdmDraws draws;
    draws.noise = normals(ids, kNoise, batch[0].numel()).view(batch.sizes());
    draws.log_sigma = few.select(1, kLogSigma).to(at::kDouble) * training_.log_sigma_std + training_.log_sigma_mean;
    if (training_.flip) batch = mirrored(batch, few.select(1, kMirror) > 0.0);
    if (labels_.defined()) {
      draws.labels = labels_.index_select(0, rows);
      if (training_.class_dropout > 0.0) {
        const Tensor hide = few.select(1, kHide) < normal_quantile(training_.class_dropout);
        draws.labels = draws.labels.masked_fill(hide, -1);
      }
    }
    draws.pass.recompute = training_.recompute;
    if (training_.dropout > 0.0)
      draws.pass.regulariser = [p = training_.dropout](const Tensor& h) { return at::dropout(h, p, /*train=*/true); };

    const Tensor cast =
        buffers_.half.defined() ? buffers_.half : buffers_.parameters.narrow(0, 0, weights_.cast_size());
    const Weights leaves = weights_.leaves(buffers_.parameters, cast);
    const Tensor loss = edm_loss(config_, leaves, batch, draws, training_.dtype);
    const Tensor gradient =
        weights_.gathered(torch::autograd::grad({(loss * scale_).sum()}, weights_.in_order(leaves)));
    const at::NoGradGuard no_grad;
    const Tensor norm = at::linalg_vector_norm(gradient, 2).view({1});
    cuda::adam_step(buffers_, gradient, rates_, norm, scale_, adam_options(training_));
    const Tensor good = norm.isfinite();
    sums_.add_(at::cat({loss.detach().view({1}).to(at::kFloat), good.logical_not().to(at::kFloat)}));
    if (training_.dtype == at::kHalf) scale_.mul_(at::where(good, kScaleGrowth, 0.5));
  }

  [[nodiscard]] Tensor normals(const Tensor& ids, int64_t family, int64_t elements) const {
    const Tensor zero = at::zeros_like(ids);
    const auto seed = static_cast<uint32_t>(training_.seed ^ (training_.seed >> 32));
    return philox_normals(ids, zero, zero + family, NoiseStream::training, seed, elements);
  }

  UNetConfig config_;
  DenoiserTraining training_;
  DeviceWeights weights_;
  BatchOrder order_;
  int64_t step_;
  int64_t pending_ = 0;  ///< steps in sums_
  Tensor images_, labels_;
  cuda::AdamBuffers buffers_;
  Tensor rates_, scale_;
  Tensor sums_;   ///< of the losses, and of the steps that changed nothing
  Tensor input_;  ///< the batch's rows, and the number of its first sample
  Tensor places_;
  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::unique_ptr<TrainingStep> captured_training(const UNetConfig& config, const ImageData& data,
                                                const DenoiserTraining& training, const TrainingState& start,
                                                const at::Device& device) {
  if (!device.is_cuda()) throw UsageError("captured_training: CUDA graphs need a CUDA device; use plain_training");
  return std::make_unique<CapturedTraining>(config, data, training, start, device);
}

}  // namespace stride
