// The sections of the report, one function each; HTML out.
#pragma once

#include "evaluation/evaluation_summary.h"

#include <string>

namespace stride {

/// The style sheet has as many colours for series; groups take them in turn.
inline constexpr int kSeriesColours = 8;

/// The sentence, and tiles with the figures behind it.
[[nodiscard]] std::string headline_section(const EvaluationResult& result);
/// RMSE and Fréchet distance against NFE.
[[nodiscard]] std::string quality_section(const EvaluationResult& result);
/// Seconds against RMSE, and adaptive policies at equal mean NFE.
[[nodiscard]] std::string work_section(const EvaluationResult& result);
/// Where the steps lie.
[[nodiscard]] std::string steps_section(const EvaluationResult& result);
/// What came out, from the same seeds.
[[nodiscard]] std::string images_section(const EvaluationResult& result);
/// The numbers.
[[nodiscard]] std::string table_section(const EvaluationResult& result);
/// The fitted tables.
[[nodiscard]] std::string plans_section(const EvaluationResult& result);

/// The page's style sheet.
[[nodiscard]] std::string report_style();

}  // namespace stride
