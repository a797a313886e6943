// The solver whose steps a predictor learns, driven along a recording in place of a denoiser.
#pragma once

#include "framework/solver.h"

#include <string>
#include <vector>

namespace stride {

/// A recorded evaluation: where, of what, and what the denoiser said.
struct RecordedPlace {
  Times sigma;      ///< float64 `[n]`
  Tensor x;         ///< `[n, …]`
  Tensor denoised;  ///< `[n, …]`
};

/// Empty where a recording of states and denoised images is all that the steps of `solver` need; else what they need
/// besides. Found by driving it, not by its name: it must draw no noise, evaluate once per step where the step starts,
/// not look at how many steps are left and, where the recording was made under guidance (`guided`), not at the
/// prediction without the condition.
[[nodiscard]] std::string base_refusal(const Solver& solver, bool guided);

/// A run of `solver` along recorded places that stands before its next step. Whatever the solver remembers comes from
/// its own steps between the places: each starts at the recorded state, not where the step before it ended.
class Replay final {
 public:
  /// `path`: the places of the evaluations, the oldest first, where the solver starts as it does in a run; the last is
  /// where the next step starts. `solver` is borrowed.
  Replay(const Solver& solver, const std::vector<RecordedPlace>& path);

  /// Where the next step of each row ends at each of `targets` (float64 `[n, M]`, positive): `[n, M, …]`.
  [[nodiscard]] Tensor jumps(const Tensor& targets) const;

 private:
  const Solver& solver_;
  RecordedPlace place_;
  int64_t index_;
  BatchState memory_;
};

}  // namespace stride
