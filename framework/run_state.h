// Where a run stands: everything that a later step needs, and nothing else.
#pragma once

#include "framework/solver.h"

#include <map>

namespace stride {

/// How a sample ended; int8 in tensors and files. Negative: still running.
enum class Status : int8_t {
  running = -1,
  ok = 0,
  max_steps = 1,
  step_underflow = 2,
  non_finite = 3,
  not_converged = 4,  ///< it came to its end, but the equation of some step was left unsolved (StepResult::changes)
};
[[nodiscard]] const char* to_string(Status status) noexcept;

/// Counts that all rows of a batch have in common, where the host knows them: nothing need be computed on the device.
struct SharedCounts {
  std::optional<int64_t> index, nfe, model_evals, draws;
};

/// The state of a batch of samples between two steps. Immutable by convention: `advance` returns a new one.
struct RunState {
  RunConstant constant;
  Tensor x;                 ///< `[B, …]`, EDM coordinates
  Times sigma;              ///< float64 `[B]`
  Tensor index;             ///< int64 `[B]`, accepted steps
  Tensor rejected;          ///< int64 `[B]`
  Tensor status;            ///< int8 `[B]`, Status
  Tensor nfe;               ///< int64 `[B]`, denoiser calls
  Tensor model_evals;       ///< int64 `[B]`, network passes
  Tensor draws;             ///< int64 `[B]`, noise draws consumed
  Tensor unsolved;          ///< bool `[B]`: `unsolved` (last_changes.h) of any accepted step
  BatchState history;       ///< the solver's
  BatchState memory;        ///< the controller's
  bool lockstep = false;    ///< the host knows that every row runs and stands at the same step: a fixed grid
                            ///< that nobody refilled. Saves the row-wise merge.
  int64_t least_index = 0;  ///< what the host knows of `index`: no row is below it (Step::least_index)
  SharedCounts shared;      ///< of `index`, `nfe`, … in lockstep; the tensors say the same
  Tensor numbers;           ///< int64 0, 1, 2, …: shared counts are views of it

  /// f(name, field of each of `of`) for every tensor, optional tensor and BatchState that a step changes.
  template <class F, class... States>
  static void each_changing(F f, States&... of) {
    f("x", of.x...);
    f("sigma", of.sigma...);
    f("index", of.index...);
    f("rejected", of.rejected...);
    f("status", of.status...);
    f("nfe", of.nfe...);
    f("model_evals", of.model_evals...);
    f("draws", of.draws...);
    f("unsolved", of.unsolved...);
    f("history", of.history...);
    f("memory", of.memory...);
  }
  /// The same for every field, those of `constant` included.
  template <class F, class... States>
  static void each(F f, States&... of) {
    RunConstant::each(f, of.constant...);
    each_changing(f, of...);
  }

  [[nodiscard]] int64_t batch() const { return x.size(0); }
  /// Rows that still run: bool `[B]`.
  [[nodiscard]] Tensor running() const;
  /// The count `value` in every row: int64 `[B]`.
  [[nodiscard]] Tensor everywhere(int64_t value) const;
  /// The same run with a memory that was filled elsewhere, by another method or before the run.
  [[nodiscard]] RunState handed_over(BatchState memory_of_solver) const;
  /// All tensors at addresses of their own; what the host knows of the counts is left out.
  [[nodiscard]] RunState clone() const;
  [[nodiscard]] RunState select(const Tensor& rows) const;
  /// The rows of `a`, then of `b`; params and noise keys present in both or in neither.
  [[nodiscard]] static RunState concat(const RunState& a, const RunState& b);
  /// Copies everything that a step changes into this state's storage (constant parts stay).
  void copy_from(const RunState& from) const;

  /// Named tensors, for saving; `from_tensors` restores the state bit for bit. Throws InputError on a
  /// missing name.
  [[nodiscard]] std::map<std::string, Tensor> tensors() const;
  [[nodiscard]] static RunState from_tensors(const std::map<std::string, Tensor>& tensors);
};

}  // namespace stride
