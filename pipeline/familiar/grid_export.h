// A grid as other projects take one: text without dependencies.
#pragma once

#include <string>
#include <vector>

namespace stride {

/// The forms of export_grid.
[[nodiscard]] const std::vector<std::string>& grid_forms();

/// `sigmas` (N + 1 levels) and their `timesteps` as a file's text:
///   table        a level a line, which `custom:FILE` reads back to the same bits
///   numpy        Python: the levels and timesteps as lists, and an array of them
///   k-diffusion  Python: get_sigmas(device) for its samplers
///   diffusers    Python: set_levels(scheduler) for the Euler, Heun, DPM-Solver and UniPC classes, and for flow times;
///                arguments(scheduler) for a pipeline's `sigmas=` or `timesteps=`
///   comfyui      JSON: a ManualSigmas node of a workflow, for SamplerCustom
/// `name` says what the grid is, in a comment. Throws UsageError on another form, and on levels that a form cannot
/// hold.
[[nodiscard]] std::string export_grid(const std::string& form, const std::vector<double>& sigmas,
                                      const std::vector<double>& timesteps, const std::string& name);

}  // namespace stride
