// The report's plots as files for a paper.
#pragma once

#include "evaluation/report/plot.h"

#include <string>
#include <utility>
#include <vector>

namespace stride {

/// Points, across: a column of two in most journals and conferences (84 mm).
inline constexpr double kColumnWidth = 238.0;

/// NAME.svg, NAME.pdf and NAME.csv (the figure's data, a row a point) of a plot, kColumnWidth wide, with its legend
/// below.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> figure_files(const std::string& name, const Plot& plot);

}  // namespace stride
