// A whole run as CUDA graphs.
#pragma once

#include "framework/program/stepped_run.h"

#include <functional>
#include <memory>

namespace stride {

/// A run of a batch of one size, captured once and replayed: graphs of some evaluations each, between which the host
/// may stop, but of no other use of the host.
class CapturedRun final {
 public:
  /// Evaluations in a graph, about: a run of a thousand steps can be stopped within seconds.
  static constexpr int64_t kEvaluations = 64;

  /// What the run to capture stands on: tensors of its own, which every batch is copied to.
  using Make = std::function<std::unique_ptr<SteppedRun>(RunConstant constant, Tensor x)>;

  /// Sees x before and after each step and its first evaluation, once, while the run is captured: after each batch the
  /// same tensors hold what they hold of that batch.
  using See = std::function<void(int64_t step, const Tensor& before, const Tensor& after, const Tensor& denoised)>;

  /// Makes the run on copies of an example, runs its beginning with host–device synchronisation forbidden, and captures
  /// it. Throws UsageError where x is not on a CUDA device, and c10::Error where something in the run would synchronise
  /// or cannot be captured.
  CapturedRun(const Make& make, const RunConstant& constant, const Tensor& x, const See& see = {});
  ~CapturedRun();
  CapturedRun(CapturedRun&&) noexcept;
  CapturedRun& operator=(CapturedRun&&) noexcept;

  /// A batch of the example's shape. `stop` is asked before each graph.
  [[nodiscard]] RunResult operator()(const RunConstant& constant, const Tensor& x,
                                     const std::function<bool()>& stop = {});

  /// The graphs alone, on the batch that is there: for measurements.
  void replay();
  /// Kernels and copies of all graphs.
  [[nodiscard]] int64_t launches() const noexcept;
  [[nodiscard]] int64_t steps() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
