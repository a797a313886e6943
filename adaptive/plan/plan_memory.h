// How much memory a plan fit takes.
#pragma once

#include "adaptive/plan/plan_runs.h"

#include <functional>

namespace stride {

/// Bytes that torch's allocators hand out at most while `f` runs, on this thread, beyond what they had handed out
/// before.
[[nodiscard]] int64_t peak_allocation(const std::function<void()>& f);

/// What a fit holds at most, taken together. Measured on a few rows where it depends on the model and on what is
/// compared, counted where it is known.
struct PlanMemory {
  int64_t base = 0;        ///< for a batch of whatever size
  int64_t row = 0;         ///< for each row of a batch while plans run
  int64_t row_end = 0;     ///< of these, what is left when the run is over
  int64_t sample = 0;      ///< for each sample whose derivatives are gathered: its run, its columns of J, its residual
  int64_t kept = 0;        ///< through the whole fit: what is compared of the teacher's end points
  int64_t samples = 0;     ///< that are fitted to
  int64_t parameters = 0;  ///< columns of J
  int64_t values = 0;      ///< compared of a sample

  /// Bytes with `rows` rows to a batch.
  [[nodiscard]] int64_t bytes(int64_t rows) const;
  /// The most rows, up to `most`, that stay within `bytes`. Throws UsageError, saying how much is needed, when that is
  /// less than two.
  [[nodiscard]] int64_t rows_within(int64_t bytes, int64_t most) const;
};

/// Of a fit of `space` to `inputs`, with `kept_samples` samples whose targets are kept as they are compared. Runs a
/// plan on 4 and on 20 rows, on the device of `inputs`.
[[nodiscard]] PlanMemory plan_memory(const PlanParameters& space, const PlanInputs& inputs, int64_t kept_samples);

}  // namespace stride
