// The files that an experiment makes of its results.
#pragma once

#include "evaluation/experiment/result_rows.h"

#include <string>
#include <utility>
#include <vector>

namespace stride {

/// Names and bytes of what a table comes to: NAME.md, NAME.tex, NAME.csv. Throws UsageError as pivot does.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> table_files(const std::vector<ResultRow>& rows,
                                                                           const ExperimentTable& table);

/// NAME.svg, NAME.pdf and NAME.csv (evaluation/report/figures.h); several results of a series at one x are their mean
/// with Student's interval. Throws UsageError where x or y is no number of the results.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> figure_files(const std::vector<ResultRow>& rows,
                                                                            const ExperimentFigure& figure);

}  // namespace stride
