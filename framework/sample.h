// The driver: from a start to finished samples.
#pragma once

#include "framework/advance.h"

#include <functional>

namespace stride {

/// Sees each state after a step and what the solver returned for it; `last` marks the jump to 0.
using Observer = std::function<void(const RunState& before, const RunState& after, const StepResult& step, bool last)>;

struct SampleOptions {
  int64_t max_steps = 10000;        ///< attempts per row, for adaptive controllers
  int64_t poll_every = 4;           ///< attempts between two looks at the device, for adaptive controllers
  bool compact = true;              ///< drop finished rows from the batch
  Observer observer = {};           ///< none: nothing is observed. Not called with compaction's row order: rows
                                    ///< are those of `before.constant.ids`
  std::function<bool()> stop = {};  ///< polled between steps; true ends the run early

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

struct RunResult {
  Tensor x;              ///< `[B, …]`, in the order of the start
  Tensor ids;            ///< int64 `[B]`
  Tensor status;         ///< int8 `[B]`
  Tensor steps;          ///< int64 `[B]`, accepted, the last jump included
  Tensor rejected;       ///< int64 `[B]`
  Tensor nfe;            ///< int64 `[B]`
  Tensor model_evals;    ///< int64 `[B]`
  bool stopped = false;  ///< SampleOptions::stop ended it

  /// True if every sample ended with Status::ok. Looks at the device.
  [[nodiscard]] bool ok() const;
};

/// Runs `start` to its end, gradients off. Throws UsageError for invalid options or guidance, and for a stochastic
/// term under a solver that integrates ODEs only.
[[nodiscard]] RunResult sample(const Problem& problem, const Solver& solver, const StepController& controller,
                               const RunState& start, const SampleOptions& options = {});

}  // namespace stride
