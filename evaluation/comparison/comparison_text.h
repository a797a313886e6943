// A comparison as text: sentences that name what was compared, a table for the terminal, JSON.
#pragma once

#include "evaluation/comparison/comparison.h"

#include <string>

namespace stride {

/// "a · karras · zero @ 5 has 34 % lower RMSE to the teacher than …": what was found, with its opponents, its interval,
/// on how many seeds.
[[nodiscard]] std::string statement(const Comparison& comparison, const RowComparison& row);
/// The whole in a sentence or two, which counts and names the runs.
[[nodiscard]] std::string statement(const Comparison& comparison);
/// A row a comparison, aligned, and below it what the columns mean.
[[nodiscard]] std::string comparison_table(const Comparison& comparison);
/// One JSON object with every number: unknown ones are null.
[[nodiscard]] std::string comparison_json(const Comparison& comparison);

/// "1.8 (1.2 to 2.4)", "at least 3", "–".
[[nodiscard]] std::string saved_text(const RowComparison& row);
/// "***" below 0.001, "**" below 0.01, "*" below 0.05.
[[nodiscard]] std::string significance_mark(double p);
/// "−34 %" of a ratio, with a decimal where it is small.
[[nodiscard]] std::string signed_percent(double ratio);

}  // namespace stride
