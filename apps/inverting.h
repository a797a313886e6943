// stride sample --invert: images back to noise, chunk by chunk.
#pragma once

#include "apps/sampling.h"

namespace stride {

/// --invert, --invert-iterations and --round-trip.
[[nodiscard]] OptionTable invert_options();

/// The sampler that --invert walks up: DDIM on the grid of the options. Throws UsageError where they ask for another
/// solver, policy or term, and without --start.
[[nodiscard]] SamplerSpec inversion_spec(const OptionValues& options);

/// One image a seed up to the grid's first level. Draws::x is what `--init` takes: divided by that level, so that it
/// holds unit normals where the model is good.
[[nodiscard]] Draws invert_images(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                                  int64_t iterations, const DrawHooks& hooks = {});

/// Root mean square of what DDIM makes of the noise, less the images. Costs a run of the sampler.
[[nodiscard]] double round_trip_error(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                                      const Draws& inverted);

}  // namespace stride
