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

struct LinearQuadraticOptions {
  double threshold = 0.025;
  std::optional<int64_t> linear_steps = {};
  bool flow = false;
};

// Genmo's Mochi: `linear_steps` even steps through the first `threshold` of the way, then a parabola that goes on with
// the same slope.
std::vector<double> linear_quadratic(const LinearQuadraticOptions& options, const GridRequest& request) {
  const double threshold = options.threshold;
  const int64_t linear = options.linear_steps.value_or(request.steps / 2);
  const int64_t quadratic = request.steps - linear;
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
  if (options.flow) return as_flow_times(std::move(levels), request);
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

struct BongTangentOptions {
  double middle = 0.5, pivot_1 = 0.6, pivot_2 = 0.6, slope_1 = 0.2, slope_2 = 0.2;
  bool flow = false;
};

// RES4LYF's bong_tangent: two arctangents that meet at `middle`.
std::vector<double> bong_tangent(const BongTangentOptions& options, const GridRequest& request) {
  const auto& [middle, pivot_1, pivot_2, slope_1, slope_2, flow] = options;
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
      grid_row({.name = "bong_tangent",
                .summary = "two arctangents that meet half-way between σ_max and σ_min",
                .differs = "variant=res4lyf is a curve from 1 to 0 whatever the model: flow times",
                .reference = "RES4LYF",
                .variants = {"variant=res4lyf"}},
               options<BongTangentOptions>(
                   number("middle", &BongTangentOptions::middle, above(0).below(1), "the level where the curves meet"),
                   number("pivot_1", &BongTangentOptions::pivot_1, above(0).below(1),
                          "place of the first curve's steepest point"),
                   number("pivot_2", &BongTangentOptions::pivot_2, above(0).below(1),
                          "place of the second curve's steepest point"),
                   number("slope_1", &BongTangentOptions::slope_1, above(0), "of the first curve"),
                   number("slope_2", &BongTangentOptions::slope_2, above(0), "of the second curve"),
                   variant_option(&BongTangentOptions::flow, "sd_cpp", "res4lyf")),
               bong_tangent),
      grid_row(
          {.name = "linear_quadratic",
           .summary = "small even steps at first, then quadratic; in fractions of σ_max",
           .differs = "variant=flow: flow times, as in Mochi itself",
           .reference = "Genmo Mochi 1",
           .variants = {"variant=flow", "threshold=0.1"}},
          options<LinearQuadraticOptions>(
              number("threshold", &LinearQuadraticOptions::threshold, above(0).below(1), "how far the even steps go"),
              integer("linear_steps", &LinearQuadraticOptions::linear_steps, at_least(0), "how many even steps")
                  .listed_as("N/2"),
              variant_option(&LinearQuadraticOptions::flow, "comfyui", "flow")),
          linear_quadratic),
  };
}

}  // namespace stride
