// What values a metric can have, and which are good.
#pragma once

#include "datasets/metrics/intervals.h"

#include <string>

namespace stride {

/// True for metrics of which more is better, by the names of results: "psnr", "recall-teacher", …
[[nodiscard]] bool higher_is_better(const std::string& metric);

/// "RMSE to the teacher": what a sentence calls a metric.
[[nodiscard]] std::string metric_words(const std::string& metric);

/// The estimate with its interval cut to the values that the metric can have: no RMSE is below 0, no recall above 1.
/// The jackknife's interval is symmetric and does not know.
[[nodiscard]] Estimate within_range(const std::string& metric, Estimate estimate);

}  // namespace stride
