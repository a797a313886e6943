// Grids of the caller's, by name.
#pragma once

#include "framework/grids/time_grid.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace stride {

/// Each gives all levels, the last included, from the options behind its name and the request.
using OwnGrids = std::map<std::string, std::function<std::vector<double>(const Spec&, const GridRequest&)>>;

/// The caller's grid of that name, else Stride's; nullptr: there are none of the caller's. Throws as make_grid and
/// TimeGrid.
[[nodiscard]] TimeGrid make_grid(const Spec& spec, const GridRequest& request, const OwnGrids* own);

}  // namespace stride
