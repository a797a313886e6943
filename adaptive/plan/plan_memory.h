// How much memory the batched runs of a plan fit take.
#pragma once

#include "adaptive/plan/plan_runs.h"

namespace stride {

/// Bytes that torch's allocator hands out at most for one more row of a batch that runs `plan`: measured on a few rows
/// of `inputs` (at least one), on their device, with what is compared of them.
[[nodiscard]] int64_t plan_bytes_per_row(const Plan& plan, const PlanInputs& inputs);

/// How many rows may run together in `bytes`. Throws UsageError, saying how much is needed, when it is less than two.
[[nodiscard]] int64_t plan_rows_within(int64_t bytes, const Plan& plan, const PlanInputs& inputs);

}  // namespace stride
