#include "pipeline/familiar/grid_export.h"

#include "framework/error.h"
#include "framework/files/printable.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

// The shortest text that reads back to the same bits.
std::string list_of(const std::vector<double>& values, const char* between) {
  std::vector<std::string> out;
  for (const double value : values) out.push_back(fmt::format("{}", value));
  return fmt::format("{}", fmt::join(out, between));
}

// Digits with a point and no power of ten, which is all that ManualSigmas reads (its pattern in
// nodes_custom_sampler.py); 17 of them that count.
std::string plain(double value) {
  if (value == 0.0) return "0.0";
  const int before = static_cast<int>(std::floor(std::log10(value)));
  return fmt::format("{:.{}f}", value, std::max(1, 16 - before));
}

// Levels and timesteps as Python's lists.
std::string python_lists(const std::vector<double>& sigmas, const std::vector<double>& timesteps,
                         const std::string& name) {
  return fmt::format("# {}: {} steps, written by Stride\nSIGMAS = [\n    {},\n]\nTIMESTEPS = [\n    {},\n]\n", name,
                     sigmas.size() - 1, list_of(sigmas, ",\n    "), list_of(timesteps, ",\n    "));
}

constexpr const char* kNumpy = R"(

def sigmas():
    import numpy

    return numpy.array(SIGMAS)
)";

constexpr const char* kKDiffusion = R"(

def get_sigmas(device="cpu"):
    """The levels for k-diffusion's samplers: sample_euler(model, x * SIGMAS[0], get_sigmas())."""
    import torch

    return torch.tensor(SIGMAS, dtype=torch.float32, device=device)
)";

// What each class takes was read in diffusers 0.42.1: set_timesteps(sigmas=…) of the flow class are times without the
// end, which it shifts; the others' own methods turn theirs into levels on a curve, so that theirs are put in place.
constexpr const char* kDiffusers = R"(

def set_levels(scheduler, device="cpu"):
    """Gives a scheduler these levels in place of set_timesteps(N)."""
    import torch

    if type(scheduler).__name__ == "FlowMatchEulerDiscreteScheduler":
        times = [sigma / (1.0 + sigma) for sigma in SIGMAS]
        if scheduler.config.use_dynamic_shifting:
            raise ValueError("make the scheduler with use_dynamic_shifting=False and shift=1: the levels are shifted already")
        shift = scheduler.shift
        scheduler.set_timesteps(sigmas=[s / (shift - (shift - 1.0) * s) for s in times[:-1]], device=device)
        return scheduler
    steps = len(SIGMAS) - 1
    scheduler.set_timesteps(steps, device=device)
    if len(scheduler.sigmas) != steps + 1 or len(scheduler.timesteps) != steps:
        raise ValueError(type(scheduler).__name__ + " does not make one step of each level")
    scheduler.sigmas = torch.tensor(SIGMAS, dtype=torch.float32)
    scheduler.timesteps = torch.tensor(TIMESTEPS[:-1], dtype=scheduler.timesteps.dtype, device=device)
    return scheduler
)";

std::string comfyui(const std::vector<double>& sigmas, const std::string& name) {
  std::vector<std::string> levels;
  for (const double sigma : sigmas) levels.push_back(plain(sigma));
  const nlohmann::json node = {{"class_type", "ManualSigmas"},
                               {"inputs", {{"sigmas", fmt::format("{}", fmt::join(levels, ", "))}}},
                               {"_meta", {{"title", name}}}};
  return nlohmann::json{{"1", node}}.dump(2) + "\n";
}

}  // namespace

const std::vector<std::string>& grid_forms() {
  static const std::vector<std::string> forms = {"table", "numpy", "k-diffusion", "diffusers", "comfyui"};
  return forms;
}

std::string export_grid(const std::string& form, const std::vector<double>& sigmas,
                        const std::vector<double>& timesteps, const std::string& name) {
  const std::string shown = printable(name, Lines::escaped);
  if (form == "table") return fmt::format("# {}: {} steps\n{}\n", shown, sigmas.size() - 1, list_of(sigmas, "\n"));
  if (form == "comfyui") return comfyui(sigmas, shown);
  const std::string lists = python_lists(sigmas, timesteps, shown);
  if (form == "numpy") return lists + kNumpy;
  if (form == "k-diffusion") return lists + kKDiffusion;
  if (form == "diffusers") {
    if (sigmas.back() != 0.0)
      throw UsageError("`to` diffusers: its classes end in a jump to 0; give `final` zero, or another form");
    return lists + kDiffusers;
  }
  throw UsageError(
      fmt::format("`to` {}: there are {}", printable(form, Lines::escaped), fmt::join(grid_forms(), ", ")));
}

}  // namespace stride
