// Images back to noise, chunk by chunk.
#pragma once

#include "pipeline/draw.h"

namespace stride {

/// One image per seed up to the grid's first level. Draws::x is what DrawSettings::init takes: divided by that level,
/// so that it holds unit normals where the model is good.
[[nodiscard]] Draws invert_images(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                                  int64_t iterations, const DrawHooks& hooks = {});

/// Root mean square of what DDIM makes of the noise, less the images. Costs a run of the sampler.
[[nodiscard]] double round_trip_error(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                                      const Draws& inverted);

}  // namespace stride
