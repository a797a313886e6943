// What a reader of the results should know of a sampler's grid.
#pragma once

#include "pipeline/sampler.h"

#include <functional>
#include <string>
#include <vector>

namespace stride {

/// The grid of a spec on the timesteps of a noise schedule. Throws UsageError as make_sampler does.
using GridBuilder = std::function<TimeGrid(const SamplerSpec& spec, const NoiseSchedule& timesteps)>;

/// A sentence for each of sigma_max, sigma_min and noise_schedule that `spec` gives and that changes nothing: another
/// value of it makes the same grid, or with `ends_only` (a policy that chooses its own steps) one with the same ends.
[[nodiscard]] std::vector<std::string> without_effect(const SamplerSpec& spec, const TimeGrid& grid,
                                                      const NoiseSchedule& timesteps, bool ends_only,
                                                      const GridBuilder& build);

/// A sentence for each end of the grid that lies more than 1 % outside the range that the model's card gives: a trained
/// network was never shown such levels. None for models in closed form.
[[nodiscard]] std::vector<std::string> beyond_training(const TimeGrid& grid, const ModelInfo& model);

}  // namespace stride
