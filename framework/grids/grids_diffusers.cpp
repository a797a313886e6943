// Grids as diffusers' schedulers build them, for configurations that were written for them.
#include "framework/error.h"
#include "framework/grids/flow_time.h"
#include "framework/grids/grid_builders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

enum class Spacing { linspace, leading, trailing };
enum class Curve { none, karras, exponential, beta };
enum class Flow { none, dpm_solver, unipc };

struct DiffusersOptions {
  Spacing spacing = Spacing::linspace;
  Curve curve = Curve::none;
  Flow flow = Flow::none;
  bool dpm_solver = false, whole = false;
  int64_t offset = 0, timesteps = 1000;
  double shift = 1.0;
  std::optional<double> lambda_min = {};
};

// The timesteps whose log-SNR λ = −ln σ is at least lambda_min; the noisiest of a cosine schedule are cut off so.
int64_t timesteps_in_use(const DiffusersOptions& options, const NoiseSchedule& schedule) {
  if (!options.lambda_min) return schedule.size();
  const auto& sigmas = schedule.sigmas();
  return std::count_if(sigmas.begin(), sigmas.end(), [&](double s) { return -std::log(s) >= *options.lambda_min; });
}

// Places on the timesteps, from the noisiest on. The DPM-Solver classes cut the axis into one interval more, round, and
// leave the last place out; the numbers are rounded where numpy rounds them.
std::vector<double> places(const DiffusersOptions& options, const NoiseSchedule& schedule, int64_t steps) {
  const auto all = static_cast<double>(schedule.size());
  const int64_t used = timesteps_in_use(options, schedule);
  const int64_t parts = options.dpm_solver ? steps + 1 : steps;
  std::vector<double> out;
  if (options.spacing == Spacing::trailing) {
    const double ratio = all / static_cast<double>(steps);
    for (int64_t i = 0; i < steps; ++i) {
      const double t = static_cast<double>(used) - static_cast<double>(i) * ratio;
      if (t > 0.0) out.push_back(std::nearbyint(t) - 1.0);
    }
    return out;
  }
  if (options.spacing == Spacing::leading) {
    const int64_t stride = used / parts;  // whole timesteps, as there
    for (int64_t i = parts - 1; i >= 0; --i) out.push_back(static_cast<double>(i * stride + options.offset));
    if (out.front() > all - 1.0)
      throw UsageError(fmt::format("schedule 'diffusers': offset {} leads out of the {} timesteps", options.offset,
                                   schedule.size()));
  } else {
    // A single place is the noisiest: docs/differences.md.
    const double interval = static_cast<double>(used - 1) / static_cast<double>(std::max<int64_t>(parts - 1, 1));
    for (int64_t i = parts - 1; i >= 0; --i) out.push_back(static_cast<double>(i) * interval);
    if (parts == 1) out.front() = static_cast<double>(used - 1);
    if (options.dpm_solver || options.whole)
      std::transform(out.begin(), out.end(), out.begin(), [](double t) { return std::nearbyint(t); });
  }
  if (options.dpm_solver) out.pop_back();
  return out;
}

// A curve of σ between two levels, by its name.
std::vector<double> on_curve(Curve curve, double high, double low, int64_t count) {
  if (count == 1) return {high};
  const char* name = curve == Curve::karras ? "karras" : curve == Curve::exponential ? "exponential" : "beta";
  GridRequest request;
  request.steps = count;
  request.sigma_max = high;
  request.sigma_min = low;
  std::vector<double> levels = make_grid(Spec::parse(name), request).sigmas();
  levels.pop_back();
  return levels;
}

// Flow times with one interval more, the last left out: from 1 − 1/T on in the DPM-Solver classes, from 1 in UniPC.
std::vector<double> flow_levels(const DiffusersOptions& options, int64_t steps) {
  const double least = 1.0 / static_cast<double>(options.timesteps);
  std::vector<double> times = unit_points(steps + 1);
  for (double& s : times) s = options.flow == Flow::unipc ? 1.0 + s * (least - 1.0) : (1.0 - s) * (1.0 - least);
  times.pop_back();
  if (options.flow == Flow::unipc) times.front() = flow_start(times.size() > 1 ? times[1] : 0.0);
  std::transform(times.begin(), times.end(), times.begin(), [&](double s) { return options.shift * flow_sigma(s); });
  return times;
}

// With Final::sigma_min the classes add the level of timestep 0 (in flow time the last level again). Where the levels
// have come there already, that step of no length is left out, so that the grid has one step less.
std::vector<double> diffusers(const DiffusersOptions& options, const GridRequest& request) {
  std::vector<double> levels;
  if (options.flow != Flow::none) {
    levels = flow_levels(options, request.steps);
    return request.final == Final::zero ? with_end(std::move(levels), request) : levels;
  }
  const NoiseSchedule& schedule = required_schedule(request, "diffusers");
  for (const double t : places(options, schedule, request.steps)) levels.push_back(schedule.sigma(t));
  const double least = schedule.sigmas().front();
  if (options.curve != Curve::none && !levels.empty()) {
    const double high = options.dpm_solver ? schedule.sigmas().back() : levels.front();
    const double low = options.dpm_solver ? least : levels.back();
    levels = on_curve(options.curve, high, low, static_cast<int64_t>(levels.size()));
  }
  if (request.final == Final::zero) return with_end(std::move(levels), request);
  constexpr double kSame = 1e-9;
  if (!levels.empty() && levels.back() > least * (1.0 + kSame)) levels.push_back(least);
  return levels;
}

struct LcmOptions {
  int64_t original = 50;
};

// Luo et al. 2023 (arXiv:2310.04378): the model was distilled on every k-th of the timesteps, counted from the last;
// of these `original` ones every (original/N)-th is taken.
std::vector<double> lcm(const LcmOptions& options, const GridRequest& request) {
  const NoiseSchedule& schedule = required_schedule(request, "lcm");
  const int64_t count = positive_levels(request);
  if (options.original > schedule.size() || count > options.original)
    throw UsageError(
        fmt::format("schedule 'lcm': {} levels of {} original ones of {} timesteps; use fewer steps, or "
                    "another original",
                    count, options.original, schedule.size()));
  const double ratio = static_cast<double>(options.original) / static_cast<double>(count);
  const int64_t stride = schedule.size() / options.original;  // whole timesteps, as there
  std::vector<double> levels;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = options.original - static_cast<int64_t>(static_cast<double>(i) * ratio);
    levels.push_back(schedule.sigma(static_cast<double>(stride * place - 1)));
  }
  return with_end(std::move(levels), request);
}

Options<DiffusersOptions> diffusers_options() {
  using O = DiffusersOptions;
  const auto flows = [](const O& read) { return read.flow != Flow::none; };
  return options<O>(
      choice("spacing", &O::spacing,
             {{"linspace", Spacing::linspace}, {"leading", Spacing::leading}, {"trailing", Spacing::trailing}},
             "of the timesteps"),
      choice("family", &O::dpm_solver, {{"euler", false}, {"dpm_solver", true}},
             "whose rule: Euler's and DDIM's, or that of DPM-Solver, UniPC, DEIS and SA-Solver"),
      flag("whole", &O::whole, "round the timesteps of linspace, as DDIM, DDPM and PNDM do"),
      integer("offset", &O::offset, at_least(0), "steps_offset: added to the timesteps of leading"),
      choice("curve", &O::curve,
             {{"none", Curve::none},
              {"karras", Curve::karras},
              {"exponential", Curve::exponential},
              {"beta", Curve::beta}},
             "levels on a curve in place of those of the timesteps, between the same ends (family=dpm_solver: between "
             "those of the table)"),
      number("lambda_min", &O::lambda_min, any_number(),
             "lambda_min_clipped: leave out the timesteps whose -ln sigma is below"),
      choice("flow", &O::flow, {{"none", Flow::none}, {"dpm_solver", Flow::dpm_solver}, {"unipc", Flow::unipc}},
             "use_flow_sigmas: flow times in place of timesteps, by the rule of that class"),
      number("shift", &O::shift, above(0), "flow_shift").belongs_to("flow=dpm_solver or unipc", flows),
      integer("timesteps", &O::timesteps, at_least(2), "of the flow model")
          .belongs_to("flow=dpm_solver or unipc", flows));
}

}  // namespace

std::vector<GridRow> diffusers_grids() {
  return {
      grid_row({.name = "diffusers",
                .summary = "levels as diffusers' schedulers build them from a configuration; the table's range",
                .differs = "`final` sigma_min ends at the level of timestep 0",
                .reference = "diffusers 0.42.1, set_timesteps",
                .needs_noise_schedule = true,
                .variants = {"spacing=leading,offset=1", "spacing=trailing", "whole=true", "curve=karras",
                             "curve=exponential", "curve=beta", "family=dpm_solver",
                             "family=dpm_solver,spacing=leading,offset=1", "family=dpm_solver,spacing=trailing",
                             "family=dpm_solver,curve=karras", "family=dpm_solver,lambda_min=-2",
                             "flow=dpm_solver,shift=3", "flow=unipc,shift=3"}},
               diffusers_options(), diffusers),
      grid_row(
          {.name = "lcm",
           .summary = "every (50/N)-th of the 50 timesteps that a consistency model was distilled on",
           .reference = "Luo et al. 2023, arXiv:2310.04378 §4.3; diffusers LCMScheduler, TCDScheduler",
           .needs_noise_schedule = true,
           .variants = {"original=100"}},
          options<LcmOptions>(integer("original", &LcmOptions::original, at_least(1), "timesteps of the distillation")),
          lcm),
  };
}

}  // namespace stride
