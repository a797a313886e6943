// Where a run stands: everything that a later step needs, and nothing else.
#pragma once

#include "framework/solver.h"

#include <map>

namespace stride {

/// How a sample ended; int8 in tensors and files. Negative: still running.
enum class Status : int8_t { running = -1, ok = 0, max_steps = 1, step_underflow = 2, non_finite = 3 };
[[nodiscard]] const char* to_string(Status status) noexcept;

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
  BatchState history;       ///< the solver's
  BatchState memory;        ///< the controller's
  bool lockstep = false;    ///< the host knows that every row runs and stands at the same step: a fixed grid
                            ///< that nobody refilled. Saves the row-wise merge.
  int64_t least_index = 0;  ///< what the host knows of `index`: no row is below it (Step::least_index)

  [[nodiscard]] int64_t batch() const { return x.size(0); }
  /// Rows that still run: bool `[B]`.
  [[nodiscard]] Tensor running() const;
  [[nodiscard]] RunState select(const Tensor& rows) const;
  /// The rows of `a`, then of `b`; params present in both or in neither.
  [[nodiscard]] static RunState concat(const RunState& a, const RunState& b);
  /// Copies everything that a step changes into this state's storage (constant parts stay).
  void copy_from(const RunState& from) const;

  /// Named tensors, for saving; `from_tensors` restores the state bit for bit. Throws InputError on a
  /// missing name.
  [[nodiscard]] std::map<std::string, Tensor> tensors() const;
  [[nodiscard]] static RunState from_tensors(const std::map<std::string, Tensor>& tensors);
};

}  // namespace stride
