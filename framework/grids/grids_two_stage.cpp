// Curves in two pieces. Both come from flow models, where they are flow times s from 1 to 0; under the same names other
// projects use them as fractions of σ_max.
#include "framework/error.h"
#include "framework/grids/flow_time.h"
#include "framework/grids/grid_builders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stride {
namespace {

// N + 1 values from 1 to 0 as noise levels of the range.
std::vector<double> as_fractions(std::vector<double> levels, double low, const GridRequest& request) {
  for (double& level : levels) level = low + level * (request.sigma_max - low);
  levels.front() = request.sigma_max;
  levels.back() = request.final == Final::zero ? 0.0 : request.sigma_min;
  return levels;
}

// N + 1 values from 1 to 0 as flow times.
std::vector<double> as_flow_times(std::vector<double> levels, const GridRequest& request) {
  levels.front() = flow_start(levels[1]);
  for (double& level : levels) level = flow_sigma(level);
  if (request.final == Final::sigma_min) levels.back() = request.sigma_min;
  return levels;
}

// Genmo's Mochi: `linear_steps` even steps through the first `threshold` of the way, then a parabola that goes on with
// the same slope.
std::vector<double> linear_quadratic(OptionReader& options, const GridRequest& request) {
  const bool flow = read_variant(options, "linear_quadratic", {"comfyui", "flow"}) == "flow";
  const double threshold = options.number("threshold", 0.025);
  const int64_t linear = options.integer("linear_steps", request.steps / 2);
  const int64_t quadratic = request.steps - linear;
  if (!(threshold > 0.0 && threshold < 1.0))
    throw UsageError(fmt::format("schedule 'linear_quadratic': threshold must lie between 0 and 1, not {}", threshold));
  if (request.steps > 1 && (linear < 1 || quadratic < 1))
    throw UsageError(
        fmt::format("schedule 'linear_quadratic': linear_steps must lie in 1 … {}, not {}", request.steps - 1, linear));
  std::vector<double> levels{1.0};
  for (int64_t i = 1; i < request.steps; ++i) {
    const double slope = threshold / static_cast<double>(linear);
    const double beyond = std::max(0.0, static_cast<double>(i - linear) / static_cast<double>(quadratic));
    // What the straight line leaves of the way, at the end, grows with the square.
    const double rest = 1.0 - slope * static_cast<double>(request.steps);
    levels.push_back(1.0 - slope * static_cast<double>(i) - rest * beyond * beyond);
  }
  levels.push_back(0.0);
  if (flow) return as_flow_times(std::move(levels), request);
  return as_fractions(std::move(levels), request.final == Final::zero ? 0.0 : request.sigma_min, request);
}

// A piece of an arctangent over 0 … count − 1, stretched to run from `start` to `end`.
std::vector<double> arctangent(int64_t count, double slope, double pivot, double start, double end) {
  const auto curve = [&](double x) { return std::atan(-slope * (x - pivot)) / std::numbers::pi + 0.5; };
  std::vector<double> out{start};
  const double high = curve(0.0), low = curve(static_cast<double>(count - 1));
  for (int64_t i = 1; i < count; ++i)
    out.push_back((curve(static_cast<double>(i)) - low) / (high - low) * (start - end) + end);
  return out;
}

// RES4LYF's bong_tangent: two arctangents that meet at `middle`.
std::vector<double> bong_tangent(OptionReader& options, const GridRequest& request) {
  const bool flow = read_variant(options, "bong_tangent", {"sd_cpp", "res4lyf"}) == "res4lyf";
  const double middle = options.number("middle", 0.5);
  const double pivot_1 = options.number("pivot_1", 0.6);
  const double pivot_2 = options.number("pivot_2", 0.6);
  const double slope_1 = options.number("slope_1", 0.2);
  const double slope_2 = options.number("slope_2", 0.2);
  const auto within = [](double value) { return value > 0.0 && value < 1.0; };
  if (!(within(middle) && within(pivot_1) && within(pivot_2) && slope_1 > 0.0 && slope_2 > 0.0))
    throw UsageError(
        "schedule 'bong_tangent': middle, pivot_1 and pivot_2 must lie between 0 and 1 and the slopes be positive");
  const auto points = static_cast<double>(request.steps + 2);
  const auto first = static_cast<int64_t>((points * pivot_1 + points * pivot_2) / 2.0);
  const double place_1 = std::floor(points * pivot_1), place_2 = std::floor(points * pivot_2);
  std::vector<double> levels = arctangent(first, slope_1 / (points / 40.0), place_1, 1.0, middle);
  levels.pop_back();
  for (const double level : arctangent(request.steps + 2 - first, slope_2 / (points / 40.0),
                                       place_2 - static_cast<double>(first), middle, 0.0))
    levels.push_back(level);
  if (flow) return as_flow_times(std::move(levels), request);
  return as_fractions(std::move(levels), request.sigma_min, request);
}

}  // namespace

std::vector<GridRow> two_stage_grids() {
  return {
      {{.name = "bong_tangent",
        .summary = "two arctangents that meet half-way between σ_max and σ_min",
        .options = "middle=0.5, pivot_1=0.6, pivot_2=0.6, slope_1=0.2, slope_2=0.2, variant=sd_cpp|res4lyf",
        .differs = "variant=res4lyf is a curve from 1 to 0 whatever the model: flow times",
        .reference = "RES4LYF",
        .variants = {"variant=res4lyf"}},
       bong_tangent},
      {{.name = "linear_quadratic",
        .summary = "small even steps at first, then quadratic; in fractions of σ_max",
        .options = "threshold=0.025, linear_steps=N/2, variant=comfyui|flow",
        .differs = "variant=flow: flow times, as in Mochi itself",
        .reference = "Genmo Mochi 1",
        .variants = {"variant=flow", "threshold=0.1"}},
       linear_quadratic},
  };
}

}  // namespace stride
