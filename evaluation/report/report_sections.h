// The sections of the report, one function each; HTML out.
#pragma once

#include "evaluation/evaluation_summary.h"
#include "evaluation/report/plot.h"

#include <string>

namespace stride {

/// The style sheet has as many colours for series; groups take them in turn.
inline constexpr int kSeriesColours = 8;

/// The sentence, and tiles with the figures behind it.
[[nodiscard]] std::string headline_section(const EvaluationResult& result);
/// A metric over NFE, and the metrics that have such a plot.
[[nodiscard]] Plot quality_plot(const EvaluationResult& result, const std::string& metric);
[[nodiscard]] std::vector<std::string> plotted_metrics(const EvaluationResult& result);
/// RMSE and Fréchet distance against NFE.
[[nodiscard]] std::string quality_section(const EvaluationResult& result);
/// Seconds against RMSE, and adaptive policies at equal mean NFE.
[[nodiscard]] std::string work_section(const EvaluationResult& result);
/// Where the steps lie.
[[nodiscard]] std::string steps_section(const EvaluationResult& result);
/// What came out, from the same seeds.
[[nodiscard]] std::string images_section(const EvaluationResult& result);
/// Runs of one NFE against the lowest of them, in pairs; empty where no two of them hold what each seed came to.
[[nodiscard]] std::string paired_section(const EvaluationResult& result);
/// The numbers.
[[nodiscard]] std::string table_section(const EvaluationResult& result);
/// The fitted tables.
[[nodiscard]] std::string plans_section(const EvaluationResult& result);

/// The page's style sheet.
[[nodiscard]] std::string report_style();

}  // namespace stride
