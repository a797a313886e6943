// Places on the timesteps of a noise schedule.
#include "framework/error.h"
#include "framework/grids/grid_builders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

std::vector<double> at_timesteps(const NoiseSchedule& schedule, const std::vector<double>& timesteps,
                                 const GridRequest& request) {
  std::vector<double> sigmas;
  for (const double t : timesteps) sigmas.push_back(schedule.sigma(t));
  return with_end(std::move(sigmas), request);
}

void require_levels(int64_t count, const NoiseSchedule& schedule, const char* name) {
  if (count > schedule.size())
    throw UsageError(
        fmt::format("schedule '{}': {} levels do not fit {} timesteps; use fewer steps", name, count, schedule.size()));
}

// `count` timesteps from the last to 0.
std::vector<double> down_to_zero(const NoiseSchedule& schedule, int64_t count) {
  std::vector<double> timesteps;
  for (const double u : unit_points(count)) timesteps.push_back((1.0 - u) * static_cast<double>(schedule.size() - 1));
  return timesteps;
}

struct SpacingOptions {
  bool dpm_solver = false;
};

// diffusers' three spacings; Lin et al. 2023 (arXiv:2305.08891) table 2. Its DPM-Solver classes cut the axis into one
// interval more, round to whole timesteps and leave the last one out.
std::vector<double> linspace(const SpacingOptions& options, const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "linspace");
  const int64_t count = positive_levels(request);
  if (!options.dpm_solver) return at_timesteps(schedule, down_to_zero(schedule, count), request);
  // Whole multiples of the interval, as numpy has them: where one ends in ½ its rounding decides.
  const double interval = static_cast<double>(schedule.size() - 1) / static_cast<double>(request.steps);
  std::vector<double> timesteps;
  for (int64_t i = request.steps; i >= 0; --i) timesteps.push_back(std::nearbyint(static_cast<double>(i) * interval));
  timesteps.resize(static_cast<std::size_t>(count));
  return at_timesteps(schedule, timesteps, request);
}

struct LeadingOptions : SpacingOptions {
  int64_t offset = 0;
};

std::vector<double> leading(const LeadingOptions& options, const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "leading");
  const int64_t offset = options.offset;
  const int64_t count = options.dpm_solver ? request.steps + 1 : positive_levels(request);
  require_levels(count, schedule, "leading");
  const int64_t ratio = schedule.size() / count;
  std::vector<double> timesteps;
  for (int64_t i = count - 1; i >= 0; --i) timesteps.push_back(static_cast<double>(i * ratio + offset));
  if (timesteps.front() > static_cast<double>(schedule.size() - 1))
    throw UsageError(
        fmt::format("schedule 'leading': offset {} leads out of the {} timesteps", offset, schedule.size()));
  timesteps.resize(static_cast<std::size_t>(positive_levels(request)));
  return at_timesteps(schedule, timesteps, request);
}

std::vector<double> trailing(const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "trailing");
  const int64_t count = positive_levels(request);
  require_levels(count, schedule, "trailing");
  const double ratio = static_cast<double>(schedule.size()) / static_cast<double>(count);
  std::vector<double> timesteps;
  for (int64_t i = 0; i < count; ++i)
    timesteps.push_back(std::nearbyint(static_cast<double>(schedule.size()) - static_cast<double>(i) * ratio) - 1.0);
  return at_timesteps(schedule, timesteps, request);
}

// One interval more than there are levels, the lowest timestep left out (Stability's generative-models).
std::vector<double> sgm_uniform(const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "sgm_uniform");
  std::vector<double> timesteps = down_to_zero(schedule, positive_levels(request) + 1);
  timesteps.pop_back();
  return at_timesteps(schedule, timesteps, request);
}

struct SimpleOptions {
  bool single = false;
};

// Every (T/N)-th of the table, counted from the last and cut to whole places. stable-diffusion.cpp cuts in float32.
std::vector<double> simple(const SimpleOptions& options, const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "simple");
  const int64_t count = positive_levels(request);
  require_levels(count, schedule, "simple");
  const double ratio = static_cast<double>(schedule.size()) / static_cast<double>(count);
  const float ratio_single = static_cast<float>(schedule.size()) / static_cast<float>(count);
  std::vector<double> timesteps;
  for (int64_t i = 0; i < count; ++i) {
    const auto back = options.single ? static_cast<int64_t>(static_cast<float>(i) * ratio_single)
                                     : static_cast<int64_t>(static_cast<double>(i) * ratio);
    timesteps.push_back(static_cast<double>(schedule.size() - 1 - back));
  }
  return at_timesteps(schedule, timesteps, request);
}

struct DdimUniformOptions {
  bool to_the_end = false;
};

// Song et al. 2021 (arXiv:2010.02502) appendix D.2 as latent diffusion has it: 1, 1 + c, 1 + 2c … with c = ⌊T/N⌋.
// ComfyUI and A1111 go on to the table's end, which is more than N levels unless N divides T.
std::vector<double> ddim_uniform(const DdimUniformOptions& options, const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "ddim_uniform");
  const int64_t count = positive_levels(request);
  if (!options.to_the_end) require_levels(count + 1, schedule, "ddim_uniform");
  const int64_t ratio = std::max<int64_t>(schedule.size() / count, 1);
  std::vector<double> timesteps;
  for (int64_t t = 1; t < schedule.size(); t += ratio) timesteps.push_back(static_cast<double>(t));
  if (!options.to_the_end) timesteps.resize(static_cast<std::size_t>(count));
  std::reverse(timesteps.begin(), timesteps.end());
  return at_timesteps(schedule, timesteps, request);
}

}  // namespace

std::vector<GridRow> timestep_grids() {
  return {
      grid_row(
          {.name = "ddim_uniform",
           .summary = "every ⌊T/N⌋-th timestep, from 1",
           .differs =
               "variant=comfyui goes on to the end of the table, which is more steps than asked for unless N divides T",
           .reference = "Song et al. 2021, arXiv:2010.02502 appendix D.2",
           .needs_noise_schedule = true,
           .variants = {"variant=comfyui"}},
          options<DdimUniformOptions>(variant_option(&DdimUniformOptions::to_the_end, "ddim", "comfyui")),
          ddim_uniform),
      grid_row(
          {.name = "leading",
           .summary = "every ⌊T/N⌋-th timestep, from offset",
           .differs =
               "variant=dpm_solver: diffusers' DPM-Solver, UniPC and DEIS cut one interval more and leave the last out",
           .reference = "Lin et al. 2023, arXiv:2305.08891 table 2",
           .needs_noise_schedule = true,
           .variants = {"variant=dpm_solver"}},
          options<LeadingOptions>(integer("offset", &LeadingOptions::offset, at_least(0), "the first timestep"),
                                  variant_option(&LeadingOptions::dpm_solver, "euler", "dpm_solver")),
          leading),
      grid_row({.name = "linspace",
                .aliases = {"normal", "uniform", "discrete", "Normal", "Uniform"},
                .summary = "evenly spaced timesteps, both ends included",
                .differs =
                    "variant=dpm_solver: diffusers' DPM-Solver, UniPC and DEIS cut one interval more, round, and leave "
                    "the last out",
                .reference = "Lin et al. 2023, arXiv:2305.08891 table 2",
                .needs_noise_schedule = true,
                .variants = {"variant=dpm_solver"}},
               options<SpacingOptions>(variant_option(&SpacingOptions::dpm_solver, "euler", "dpm_solver")), linspace),
      grid_row({.name = "sgm_uniform",
                .aliases = {"SGM Uniform"},
                .summary = "evenly spaced timesteps, the lowest left out",
                .reference = "Stability generative-models; ComfyUI",
                .needs_noise_schedule = true},
               sgm_uniform),
      grid_row({.name = "simple",
                .aliases = {"Simple"},
                .summary = "every (T/N)-th entry of the table, counted from the last",
                .differs = "variant=sd_cpp cuts to whole places in float32 (differs at 112 of N = 1 … 1000)",
                .reference = "ComfyUI",
                .needs_noise_schedule = true,
                .variants = {"variant=sd_cpp"}},
               options<SimpleOptions>(variant_option(&SimpleOptions::single, "comfyui", "sd_cpp")), simple),
      grid_row({.name = "trailing",
                .summary = "every (T/N)-th timestep, counted from the last",
                .reference = "Lin et al. 2023, arXiv:2305.08891 table 2",
                .needs_noise_schedule = true},
               trailing),
  };
}

}  // namespace stride
