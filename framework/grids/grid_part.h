// Running a part of a grid.
#pragma once

#include "framework/spec.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// What every grid by name but `custom` takes beside its own options: `karras:last=12` runs the last 12 of the grid's
/// intervals, `part=A-B` those from level A to level B (of what `last` left; an end that is missing or beyond the last
/// level is the last level), and `jump=true` puts a 0 in place of the last level, so that the run ends in a jump. Grids
/// of other projects are given so: a refined image begins inside a grid, two runs share one.
struct GridPart {
  std::optional<int64_t> last = {};
  int64_t from = 0;
  std::optional<int64_t> to = {};
  bool jump = false;
};

/// Takes these options out of `spec`; none: the whole grid. Throws UsageError on a number or range that is none.
[[nodiscard]] std::optional<GridPart> take_grid_part(Spec& spec);

/// That part of `levels`. Throws UsageError, beginning with `what`, where it holds no interval.
[[nodiscard]] std::vector<double> part_of(const GridPart& part, std::vector<double> levels, const std::string& what);

}  // namespace stride
