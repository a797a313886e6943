// The end of every run.
#pragma once

#include "framework/sample.h"

namespace stride {

/// What a run that stands at `end` hands back. A row that ended well but holds a NaN or infinity is
/// non-finite, and one with an unsolved step not converged.
[[nodiscard]] RunResult close_run(const RunState& end, bool stopped = false);

}  // namespace stride
