// The timesteps that stand beside the levels of a grid.
#pragma once

#include "pipeline/sampler.h"

#include <vector>

namespace stride {

/// For each level of the sampler's grid: its place on the noise schedule that the spec or the card names. Where neither
/// does, grids of flow times have T·σ/(1 + σ), as flow models are told it, and the others the place on the linear
/// betas.
[[nodiscard]] std::vector<double> timesteps_of(const Sampler& sampler, const ModelCard* card);

}  // namespace stride
