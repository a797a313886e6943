// Adaptive runs that never wait: many samples on few slots, each replaced where it ends.
#pragma once

#include "framework/sample.h"

#include <functional>
#include <memory>

namespace stride {

/// A pool of samples under an adaptive controller, B at a time. Whether a sample has ended, and which one takes its
/// place, is decided where the data is (refill.h): on CUDA a step is one graph, and the host only follows, some steps
/// behind. When an eighth of the slots have none left, what runs is compacted and ends step by step; the last jumps to
/// 0 are made at the end, B at a time. A row's arithmetic does not depend on its neighbours.
class RefilledRun final {
 public:
  struct Options {
    int64_t slots = 64;
    int64_t max_steps = 10000;  ///< attempts per row
    bool compact = true;        ///< false: all steps have B rows, so that kernels chosen by the batch are the same ones
  };
  /// Steps between the device and a host that looks at it.
  static constexpr int kBehind = 3;

  /// For pools of the example's rows or fewer. The parts of the problem are kept by reference. On CUDA the step is
  /// captured here: throws c10::Error where it would synchronise or cannot be captured, and UsageError for solvers
  /// whose steps differ (SolverTraits::branches).
  RefilledRun(const Problem& problem, const Solver& solver, const StepController& controller, const RunState& example,
              const Options& options);
  ~RefilledRun();
  RefilledRun(RefilledRun&&) noexcept;
  RefilledRun& operator=(RefilledRun&&) noexcept;

  [[nodiscard]] int64_t capacity() const noexcept;
  /// Asked before each step, with how many samples have left their slots as far as the host knows; true ends the run.
  using Stop = std::function<bool(int64_t ended)>;
  /// Rows in the order of `starts`, as start_run makes them.
  [[nodiscard]] RunResult operator()(const RunState& starts, const Stop& stop = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
