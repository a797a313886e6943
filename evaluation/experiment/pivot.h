// Results laid out in rows and columns, for a paper.
#pragma once

#include "evaluation/experiment/result_rows.h"

#include <string>
#include <vector>

namespace stride {

/// What stands in one place: one result, or the mean of several that differ in fields that no row or column names, with
/// Student's interval over them.
struct PivotCell {
  Estimate estimate;
  std::size_t count = 0;  ///< 0: nothing
};

struct Pivot {
  std::vector<std::string> heads;                ///< of the leading columns: the fields that tell rows apart
  std::vector<std::vector<std::string>> labels;  ///< of each row
  std::vector<std::string> columns;              ///< "4", "5"; with several values "4 rmse"
  std::vector<std::vector<PivotCell>> cells;     ///< `[row][column]`
  std::string across;                            ///< the field across; empty: none
};

/// In the order in which rows and columns first come; columns that are numbers ascend. Throws UsageError where no row
/// has a value, with the names that there are.
[[nodiscard]] Pivot pivot(const std::vector<ResultRow>& rows, const ExperimentTable& table);

[[nodiscard]] std::string pivot_markdown(const Pivot& pivot, const ExperimentTable& table);
/// booktabs' rules; needs that package alone. Intervals as 0.123 (0.120, 0.126).
[[nodiscard]] std::string pivot_latex(const Pivot& pivot, const ExperimentTable& table);
/// A line a place: the fields of row and column, then value, low, high, count; numbers read back bit for bit.
[[nodiscard]] std::string pivot_csv(const Pivot& pivot);

}  // namespace stride
