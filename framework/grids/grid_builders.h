// What the files grids_*.cpp share: each is a family of grids, and its rows are joined in time_grid.cpp.
#pragma once

#include "framework/grids/time_grid.h"
#include "framework/named.h"

#include <functional>
#include <string>
#include <vector>

namespace stride {

/// A row of the table: builds all levels of a grid, the last included.
using GridRow = Named<GridTraits, std::function<std::vector<double>(const Spec&, const GridRequest&)>>;

/// The row of a grid that is built from its options by build(options, request).
template <class T>
[[nodiscard]] GridRow grid_row(GridTraits traits, const Options<T>& options,
                               std::vector<double> (*build)(const T&, const GridRequest&)) {
  return entry_of<GridRow>("schedule", std::move(traits), options, build);
}
/// The same for a grid without options.
[[nodiscard]] GridRow grid_row(GridTraits traits, std::vector<double> (*build)(const GridRequest&));

/// The families.
[[nodiscard]] std::vector<GridRow> range_grids();      ///< curves between σ_max and σ_min
[[nodiscard]] std::vector<GridRow> timestep_grids();   ///< places on the timesteps of a noise schedule
[[nodiscard]] std::vector<GridRow> quantile_grids();   ///< quantiles of a distribution
[[nodiscard]] std::vector<GridRow> two_stage_grids();  ///< curves in two pieces
[[nodiscard]] std::vector<GridRow> flow_grids();       ///< flow times
[[nodiscard]] std::vector<GridRow> table_grids();      ///< published tables
[[nodiscard]] std::vector<GridRow> diffusers_grids();  ///< as diffusers' schedulers build them

/// An option of every grid by name but `custom`: `karras:drop_next_to_last=true` builds one level more and leaves out
/// the last one above 0, as ComfyUI and A1111 do for some of their samplers. The number of steps stays.
inline constexpr const char* kDropNextToLast = "drop_next_to_last";

/// `count` evenly spaced points of [0, 1], both ends included; one point is 0.
[[nodiscard]] std::vector<double> unit_points(int64_t count);

/// The levels before the end: N positive ones and a 0 after them (Final::zero), or N + 1 positive ones.
[[nodiscard]] int64_t positive_levels(const GridRequest& request);
/// Adds that 0.
[[nodiscard]] std::vector<double> with_end(std::vector<double> positive, const GridRequest& request);
/// For grids that are N + 1 levels by nature: with Final::zero the last of them becomes 0.
[[nodiscard]] std::vector<double> replace_end(std::vector<double> levels, const GridRequest& request);

/// The option `variant`: whose numbers, this project's (the default) or the other's.
template <class T>
[[nodiscard]] OptionRow<T> variant_option(bool T::*other, const std::string& first, const std::string& second) {
  return choice("variant", other, {{first, false}, {second, true}}, "whose numbers under this name");
}
/// The request's noise schedule, or a UsageError that says which option is missing.
[[nodiscard]] const NoiseSchedule& required_schedule(const GridRequest& request, const std::string& grid);

}  // namespace stride
