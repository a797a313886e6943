// What the finished cells of a stage found out, as rows of fields and numbers, whatever the command.
#pragma once

#include "datasets/metrics/intervals.h"
#include "evaluation/experiment/cells.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stride {

struct ResultRow {
  std::map<std::string, std::string>
      fields;  ///< axes by name; of an evaluation `sampler`, `schedule`, `final`, `policy`, `steps`, `nfe`
  std::map<std::string, Estimate> numbers;  ///< metrics with their intervals; costs, and other numbers, without
};

/// Of the run in `folder`: of `evaluate` a row a sampler, of other commands one row, of the numbers in results.json.
/// Throws InputError where there are no results.
[[nodiscard]] std::vector<ResultRow> result_rows(const ExperimentCell& cell, const std::string& folder);

/// The rows that have each of `only`'s fields: `schedule=karras`. Throws UsageError on text without `=`.
[[nodiscard]] std::vector<ResultRow> rows_with(std::vector<ResultRow> rows, const std::vector<std::string>& only);

/// The number of a row of that name, or its field of that name where that reads as one.
[[nodiscard]] std::optional<Estimate> number_of(const ResultRow& row, const std::string& name);

/// One result with its own interval; of several the mean, with Student's interval over them.
[[nodiscard]] Estimate joined(const std::vector<Estimate>& results);

/// Whole text as a number.
[[nodiscard]] std::optional<double> as_number(const std::string& text);

/// The field of a row: text, or a number where it is one; "–" where it has none.
[[nodiscard]] std::string field_of(const ResultRow& row, const std::string& name);

}  // namespace stride
