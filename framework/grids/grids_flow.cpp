// Grids of flow times, in EDM coordinates.
#include "framework/error.h"
#include "framework/grids/flow_time.h"
#include "framework/grids/grid_builders.h"

#include <cmath>

namespace stride {
namespace {

struct FlowOptions : FlowShiftOptions {
  int64_t timesteps = 1000;
  double shift_terminal = 0.0;
  bool once = false, even = false, of_image = false;
};

FlowShift shift_of(const FlowOptions& options) {
  if (options.of_image && !options.seq_len)
    throw UsageError(
        "schedule 'flow': image takes the shift from the size of the model's images [channels, height, width], which "
        "this model does not have; give mu or seq_len");
  return options.made("schedule 'flow'");
}

// diffusers' FlowMatchEulerDiscreteScheduler: flow times evenly spaced from 1 to 1/T, then shifted (flow_time.h), which
// multiplies σ. With a fixed shift the end of the even spacing is itself a shifted time, so the end is shifted twice,
// as in the code of Stable Diffusion 3; variant=once does it once. diffusers' Flux pipelines give the class times that
// fall by 1/N from 1 in place of its own (pipeline_flux.py): even=true.
std::vector<double> flow(const FlowOptions& options, const GridRequest& request) {
  const FlowShift shift = shift_of(options);
  const double terminal = options.shift_terminal;
  double last = 1.0 / static_cast<double>(options.timesteps);
  if (options.even)
    last = 1.0 / static_cast<double>(positive_levels(request));
  else if (!options.once && !shift.dynamic)
    last = shift.multiplier * last / (1.0 + (shift.multiplier - 1.0) * last);
  std::vector<double> times = unit_points(positive_levels(request));
  for (double& s : times) s = 1.0 + s * (last - 1.0);
  times.front() = flow_start(times.size() > 1 ? times[1] : 0.0);
  std::vector<double> sigmas;
  for (const double s : times) sigmas.push_back(shift.multiplier * flow_sigma(s));
  // Lightricks' LTX-Video: 1 − s is stretched so that the last s is `terminal`. 1 − s = 1/(1 + σ).
  if (terminal > 0.0 && sigmas.size() > 1) {
    const double stretch = (1.0 - terminal) * (1.0 + sigmas.back());
    for (double& sigma : sigmas) sigma = (1.0 + sigma) / stretch - 1.0;
    sigmas.back() = terminal / (1.0 - terminal);
  }
  return with_end(std::move(sigmas), request);
}

}  // namespace

std::vector<GridRow> flow_grids() {
  return {
      grid_row(
          {.name = "flow",
           .aliases = {"flow_match_euler", "FlowMatchEulerDiscreteScheduler"},
           .summary = "evenly spaced flow times, shifted; has a range of its own",
           .differs = "variant=once shifts the end once, not twice",
           .reference = "Esser et al. 2024, arXiv:2403.03206 eq. 23",
           .variants = {"shift=3", "shift=3,variant=once", "mu=0.8", "mu=0.8,time_shift=linear", "seq_len=1024",
                        "shift=3,shift_terminal=0.1", "mu=0.8,even=true"}},
          options<FlowOptions>(integer("timesteps", &FlowOptions::timesteps, at_least(2),
                                       "of the model; the last level is the first of them"),
                               number("shift_terminal", &FlowOptions::shift_terminal, at_least(0).below(1),
                                      "stretch the times to end at this one; 0: do not"),
                               variant_option(&FlowOptions::once, "diffusers", "once"),
                               flag("even", &FlowOptions::even, "times 1, 1 - 1/N, ..., 1/N, whatever the timesteps"),
                               flag("image", &FlowOptions::of_image,
                                    "seq_len is the model's: patches of 2 by 2 in an image of its size"),
                               FlowShiftOptions::declared()),
          flow),
  };
}

}  // namespace stride
