// stride sample --invert: its options.
#pragma once

#include "apps/cli/sampling_options.h"

namespace stride {

/// --invert, --invert-iterations and --round-trip.
[[nodiscard]] OptionTable invert_options();

/// The sampler that --invert walks up: DDIM on the grid of the options. Throws UsageError where they ask for another
/// solver, policy or term, and without --start.
[[nodiscard]] SamplerSpec inversion_spec(const OptionValues& options);

}  // namespace stride
