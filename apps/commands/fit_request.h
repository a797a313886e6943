// What the options of `stride fit` ask for, checked.
#pragma once

#include "apps/cli/context.h"
#include "pipeline/fitting.h"

#include <string>

namespace stride {

/// The options of `stride fit` beside those of sampling.
[[nodiscard]] OptionTable fit_options();

/// Throws UsageError for values that make no sense, alone or together.
[[nodiscard]] FitTask fit_task(Context& context, const LoadedModel& model);

}  // namespace stride
