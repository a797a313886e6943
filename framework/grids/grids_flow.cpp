// Grids of flow times, in EDM coordinates.
#include "framework/error.h"
#include "framework/grids/flow_time.h"
#include "framework/grids/grid_builders.h"

#include <fmt/format.h>

#include <cmath>

namespace stride {
namespace {

// diffusers' FlowMatchEulerDiscreteScheduler: flow times evenly spaced from 1 to 1/T, then shifted (flow_time.h), which
// multiplies σ. With a fixed shift the end of the even spacing is itself a shifted time, so the end is shifted twice,
// as in the code of Stable Diffusion 3; variant=once does it once.
std::vector<double> flow(OptionReader& options, const GridRequest& request) {
  const bool once = read_variant(options, "flow", {"diffusers", "once"}) == "once";
  const FlowShift shift = read_flow_shift(options, "schedule 'flow'");
  const auto total = static_cast<double>(options.integer("timesteps", 1000));
  const double terminal = options.number("shift_terminal", 0.0);
  if (!(total >= 2.0)) throw UsageError(fmt::format("schedule 'flow': timesteps must be at least 2, not {}", total));
  if (!(terminal >= 0.0 && terminal < 1.0))
    throw UsageError(fmt::format("schedule 'flow': shift_terminal is a flow time below 1, not {}", terminal));
  double last = 1.0 / total;
  if (!once && !shift.dynamic) last = shift.multiplier * last / (1.0 + (shift.multiplier - 1.0) * last);
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
      {{.name = "flow",
        .aliases = {"flow_match_euler", "FlowMatchEulerDiscreteScheduler"},
        .summary = "evenly spaced flow times, shifted; has a range of its own",
        .options = std::string("timesteps=1000, shift_terminal=…, variant=diffusers|once, ") + kFlowShiftOptions,
        .differs = "variant=once shifts the end once, not twice",
        .reference = "Esser et al. 2024, arXiv:2403.03206 eq. 23",
        .variants = {"shift=3", "shift=3,variant=once", "mu=0.8", "mu=0.8,time_shift=linear", "seq_len=1024",
                     "shift=3,shift_terminal=0.1"}},
       flow},
  };
}

}  // namespace stride
