// A step of any network's training as one CUDA graph.
#pragma once

#include "neural/networks/device_weights.h"
#include "neural/training/adam_cuda.h"
#include "neural/training/checkpoint.h"

#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
// CUDAGraph.h needs CUDAGeneratorImpl.h before it.
#include <ATen/cuda/CUDAGraph.h>

#include <functional>

namespace stride {

/// The loss of one step, a scalar on the device: of the weights (leaves in the training's dtype) and of `input`, int64
/// `[I]`, which is all that differs from step to step. It must not look at the device.
using GraphLoss = std::function<Tensor(const Weights& leaves, const Tensor& input)>;

struct GraphOptions {
  AdamOptions adam;
  at::ScalarType dtype = at::kFloat;  ///< of the network's arithmetic; float16's loss is scaled
  int64_t input_size = 0;             ///< I
};

/// Forward and backward pass, clipping, AdamW and the average of the weights, captured at the first step and replayed
/// at fixed addresses. Steps whose gradient is not finite change nothing.
class TrainingGraph final {
 public:
  TrainingGraph(const Layout& layout, const TrainingState& start, GraphOptions options, GraphLoss loss,
                const at::Device& device);

  /// Queues the next step: its `input` (on the CPU), learning rate, and what the average of the weights keeps.
  void advance(const Tensor& input, double learning_rate, double average_keeps);
  [[nodiscard]] int64_t step() const noexcept { return step_; }
  /// The mean loss of the steps since this was asked last; waits for the device. NaN where one was not finite, or where
  /// no step changed anything.
  [[nodiscard]] double mean_loss();
  /// A copy, in the layout's order.
  [[nodiscard]] TrainingState state() const;

 private:
  void load(const Tensor& input, double learning_rate, double average_keeps);
  void capture();
  void body();

  GraphOptions options_;
  GraphLoss loss_;
  at::Device device_;
  DeviceWeights weights_;
  int64_t step_;
  int64_t pending_ = 0;  ///< steps in sums_
  bool captured_ = false;
  cuda::AdamBuffers buffers_;
  Tensor rates_, scale_;
  Tensor sums_;  ///< of the losses, and of the steps that changed nothing
  Tensor input_;
  at::cuda::CUDAGraph graph_;
};

/// Unit normals `[N, elements]` for int64 `ids` `[N]`: a function of the seed, the id and the family, made on the ids'
/// device.
[[nodiscard]] Tensor training_normals(uint64_t seed, const Tensor& ids, int64_t family, int64_t elements);
/// The value that a unit normal stays below with probability p.
[[nodiscard]] double normal_quantile(double p);

}  // namespace stride
