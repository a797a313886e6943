#include "evaluation/winners.h"

#include "evaluation/metric_facts.h"

#include <cmath>

namespace stride {

Winners winners(const std::vector<const SamplerResult*>& rows, const std::string& metric) {
  Winners out;
  const auto value = [&](const SamplerResult& row) {
    const MetricResult* found = row.metric(metric);
    return found == nullptr ? std::nan("") : found->all.value;
  };
  for (const SamplerResult* row : rows) {
    if (std::isnan(value(*row))) continue;
    const bool better = out.best == nullptr ||
                        (higher_is_better(metric) ? value(*row) > value(*out.best) : value(*row) < value(*out.best));
    if (better) out.best = row;
  }
  if (out.best == nullptr) return out;
  const Estimate& best = out.best->metric(metric)->all;
  out.intervals = !std::isnan(best.low) && !std::isnan(best.high);
  for (const SamplerResult* row : rows) {
    if (row == out.best || std::isnan(value(*row))) continue;
    const Estimate& one = row->metric(metric)->all;
    if (one.low <= best.high && one.high >= best.low) out.level.insert(row);
  }
  return out;
}

}  // namespace stride
