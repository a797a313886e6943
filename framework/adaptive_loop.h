// The loop of runs whose rows end at different steps.
#pragma once

#include "framework/run_state.h"

#include <functional>

namespace stride {

struct AdaptiveLoop {
  std::function<RunState(const RunState&)> step;
  int64_t max_steps = 10000;  ///< attempts
  int64_t poll_every = 4;     ///< attempts between two looks at the device
  bool compact = true;        ///< drop finished rows from the batch
  std::function<bool()> stop = {};
};

/// Steps `active` until no row runs. Rows that have ended are handed to `retire` as they stand, before the last jump,
/// with their places in `active`, int64; in the end all have been. Those that used up their attempts have
/// Status::max_steps. Returns whether it was stopped: those that still ran are handed over as such.
[[nodiscard]] bool run_to_ends(const AdaptiveLoop& loop, RunState active,
                               const std::function<void(RunState ended, Tensor places)>& retire);

}  // namespace stride
