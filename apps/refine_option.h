// --start, --strength and --mask: from an image instead of noise.
#pragma once

#include "apps/sampling.h"

namespace stride {

[[nodiscard]] OptionTable refine_options();

/// --strength, 1 without it. Throws UsageError without --start.
[[nodiscard]] double strength_of(const OptionValues& options);

/// The part of the grid that the spec's strength runs. Throws UsageError where the steps are a plan's or were asked for
/// by their cost, and on a strength that leaves none.
[[nodiscard]] TimeGrid refined_grid(const SamplerSpec& spec, const TimeGrid& grid);

/// Opens --start and --mask into `settings`, whose seeds are set. Throws UsageError on --mask alone, InputError on a
/// file that is damaged or does not fit the model and the seeds.
void read_refine(const OptionValues& options, const ModelInfo& model, DrawSettings& settings);

}  // namespace stride
