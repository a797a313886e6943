// An evaluation as a table for the terminal.
#pragma once

#include "evaluation/evaluation_result.h"

#include <string>

namespace stride {

/// One row per sampler, the teacher last: NFE (mean, p95, max), each metric with its interval, time per sample.
[[nodiscard]] std::string results_table(const EvaluationResult& result);

}  // namespace stride
