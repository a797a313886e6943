// A step as a CUDA graph: the fast path of `advance`, bit for bit the same.
#pragma once

#include "framework/sample.h"

#include <memory>

namespace stride {

/// One `advance` of a batch at fixed addresses, captured once and replayed. Everything that a step looks at lies
/// on the device (the position in the grid is RunState.index), so one graph serves every step of a run and every
/// run of the same shape. Observers run between replays.
class CapturedStep final {
 public:
  /// Warms up on copies of `example` with host–device synchronisation forbidden, then captures. Throws UsageError
  /// when the state is not on a CUDA device or the solver's steps differ (SolverNeeds::branches), and c10::Error where
  /// some part of the step would synchronise.
  CapturedStep(const Problem& problem, const Solver& solver, const StepController& controller, const RunState& example);
  ~CapturedStep();
  CapturedStep(CapturedStep&&) noexcept;
  CapturedStep& operator=(CapturedStep&&) noexcept;

  /// Puts a state of the example's shape in place: ids, conditions, grid and parameters included.
  void load(const RunState& state);
  /// The next step.
  void replay();
  /// Where the run stands: a view of the fixed addresses, valid until the next load or replay.
  [[nodiscard]] const RunState& state() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// `sample` on a fixed grid by replaying one graph; the last jump runs eagerly. Throws UsageError for controllers
/// without a planned number of steps.
[[nodiscard]] RunResult sample_captured(const Problem& problem, const Solver& solver, const StepController& controller,
                                        const RunState& start);

}  // namespace stride
