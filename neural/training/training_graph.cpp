#include "neural/training/training_graph.h"

#include "framework/noise/philox.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/autograd.h>

#include <boost/math/special_functions/erf.hpp>

#include <cmath>
#include <limits>
#include <utility>

namespace stride {
namespace {

constexpr int kWarmUpSteps = 3;
constexpr float kFirstScale = 65536.0f;     // of a float16 loss
constexpr double kScaleGrowth = 1.0003466;  // 2^(1/2000)

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

}  // namespace

TrainingGraph::TrainingGraph(const Layout& layout, const TrainingState& start, GraphOptions options, GraphLoss loss,
                             const at::Device& device)
    : options_(options), loss_(std::move(loss)), device_(device), weights_(layout), step_(start.adam.step) {
  const c10::cuda::CUDAGuard guard(device);
  buffers_.parameters = weights_.packed(start.parameters.to(device)).clone();
  buffers_.average = weights_.packed(start.average.to(device)).clone();
  buffers_.mean = weights_.packed(start.adam.mean.to(device)).clone();
  buffers_.square = weights_.packed(start.adam.square.to(device)).clone();
  if (options.dtype != at::kFloat)
    buffers_.half = buffers_.parameters.narrow(0, 0, weights_.cast_size()).to(options.dtype);
  const auto floats = buffers_.parameters.options();
  rates_ = at::zeros({4}, floats);
  scale_ = at::full({1}, options.dtype == at::kHalf ? kFirstScale : 1.0f, floats);
  sums_ = at::zeros({2}, floats);
  input_ = at::zeros({options.input_size}, floats.dtype(at::kLong));
}

void TrainingGraph::advance(const Tensor& input, double learning_rate, double average_keeps) {
  const c10::cuda::CUDAGuard guard(device_);
  load(input, learning_rate, average_keeps);
  if (!std::exchange(captured_, true)) capture();
  graph_.replay();
  ++step_;
  ++pending_;
}

double TrainingGraph::mean_loss() {
  const Tensor sums = sums_.cpu();
  const auto loss = sums[0].item<double>(), skipped = sums[1].item<double>();
  const auto steps = static_cast<double>(std::exchange(pending_, 0));
  sums_.zero_();
  // A training in which no step counts any more has diverged, whatever its loss.
  return steps == 0.0 || skipped >= steps ? std::numeric_limits<double>::quiet_NaN() : loss / steps;
}

TrainingState TrainingGraph::state() const {
  return {weights_.flat(buffers_.parameters),
          weights_.flat(buffers_.average),
          {weights_.flat(buffers_.mean), weights_.flat(buffers_.square), step_}};
}

void TrainingGraph::load(const Tensor& input, double learning_rate, double average_keeps) {
  const auto k = static_cast<double>(step_ + 1);
  const Tensor numbers = at::tensor(
      {learning_rate, 1.0 - std::pow(options_.adam.beta1, k), 1.0 - std::pow(options_.adam.beta2, k), average_keeps},
      at::kFloat);
  rates_.copy_(numbers.pin_memory(), /*non_blocking=*/true);
  input_.copy_(input.pin_memory(), /*non_blocking=*/true);
}

void TrainingGraph::capture() {
  const Benchmark benchmark;
  const std::vector<Tensor> changed = {buffers_.parameters, buffers_.average, buffers_.mean,
                                       buffers_.square,     scale_,           sums_};
  std::vector<Tensor> before;
  for (const Tensor& tensor : changed) before.push_back(tensor.clone());
  const Tensor half = buffers_.half.defined() ? buffers_.half.clone() : Tensor();
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

void TrainingGraph::body() {
  const Tensor cast = buffers_.half.defined() ? buffers_.half : buffers_.parameters.narrow(0, 0, weights_.cast_size());
  const Weights leaves = weights_.leaves(buffers_.parameters, cast);
  const Tensor loss = loss_(leaves, input_);
  const Tensor gradient = weights_.gathered(torch::autograd::grad({(loss * scale_).sum()}, weights_.in_order(leaves)));
  const at::NoGradGuard no_grad;
  const Tensor norm = at::linalg_vector_norm(gradient, 2).view({1});
  cuda::adam_step(buffers_, gradient, rates_, norm, scale_, options_.adam);
  const Tensor good = norm.isfinite();
  sums_.add_(at::cat({loss.detach().view({1}).to(at::kFloat), good.logical_not().to(at::kFloat)}));
  if (options_.dtype == at::kHalf) scale_.mul_(at::where(good, kScaleGrowth, 0.5));
}

Tensor training_normals(uint64_t seed, const Tensor& ids, int64_t family, int64_t elements) {
  const Tensor zero = at::zeros_like(ids);
  return philox_normals(ids, zero, zero + family, NoiseStream::training, static_cast<uint32_t>(seed ^ (seed >> 32)),
                        elements);
}

double normal_quantile(double p) { return std::sqrt(2.0) * boost::math::erf_inv(2.0 * p - 1.0); }

}  // namespace stride
