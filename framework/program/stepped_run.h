// A run on a fixed grid, step by step, on tensors that stay where they are: what a CUDA graph is captured from.
#pragma once

#include "framework/sample.h"

#include <memory>

namespace stride {

class SteppedRun {
 public:
  virtual ~SteppedRun() = default;

  /// The last jump included.
  [[nodiscard]] virtual int64_t steps() const noexcept = 0;
  /// Evaluations of the denoiser in the run.
  [[nodiscard]] virtual int64_t evaluations() const noexcept = 0;
  /// Back to the start. What follows from ids, condition, keys and start alone is worked out here, in place: a graph
  /// reads it.
  virtual void begin() = 0;
  /// The next step: kernels only.
  virtual void step() = 0;
  /// x, where the last step left it.
  [[nodiscard]] virtual const Tensor& x() const = 0;
  /// The first evaluation of the last step; undefined where the run does not keep it.
  [[nodiscard]] virtual Tensor denoised() const = 0;
  /// What `sample` hands back of a run that has made its last step.
  [[nodiscard]] virtual RunResult result() const = 0;

 protected:
  SteppedRun() = default;
  SteppedRun(const SteppedRun&) = default;
  SteppedRun& operator=(const SteppedRun&) = default;
};

/// The plain loop over `advance`, whatever the solver does. The parts of `problem` are kept by reference, `constant`'s
/// tensors and `x` by their addresses. Throws UsageError for controllers without a planned number of steps.
[[nodiscard]] std::unique_ptr<SteppedRun> plain_run(const Problem& problem, const Solver& solver,
                                                    const StepController& controller, RunConstant constant, Tensor x);

}  // namespace stride
