#include "evaluation/results_table.h"

#include "evaluation/evaluation_summary.h"
#include "evaluation/text_table.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace stride {

std::string results_table(const EvaluationResult& result) {
  std::vector<TextTable::Column> columns = {{"sampler", TextTable::Align::left},
                                            {"NFE", TextTable::Align::right},
                                            {"p95", TextTable::Align::right},
                                            {"max", TextTable::Align::right}};
  std::vector<std::string> metrics;
  for (const SamplerResult& sampler : result.samplers) {
    for (const MetricResult& metric : sampler.metrics) {
      // rmse-p95 is in the report.
      if (metric.name != "rmse-p95" && std::find(metrics.begin(), metrics.end(), metric.name) == metrics.end())
        metrics.push_back(metric.name);
    }
  }
  for (const std::string& metric : metrics) {
    columns.push_back({metric, TextTable::Align::right});
    columns.push_back({"95 % interval", TextTable::Align::left});
  }
  columns.push_back({"per sample", TextTable::Align::right});
  TextTable table(columns);
  const auto add = [&](const std::string& label, const SamplerResult& sampler) {
    std::vector<std::string> row = {label, number_text(sampler.cost.nfe_mean), number_text(sampler.cost.nfe_p95),
                                    fmt::format("{}", sampler.cost.nfe_max)};
    for (const std::string& metric : metrics) {
      const MetricResult* found = sampler.metric(metric);
      row.push_back(found == nullptr ? "" : number_text(found->all.value));
      row.push_back(found == nullptr || std::isnan(found->all.low)
                        ? ""
                        : fmt::format("{} to {}", number_text(found->all.low), number_text(found->all.high)));
    }
    row.push_back(seconds_text(sampler.cost.seconds / static_cast<double>(sampler.cost.n)));
    table.add(row);
  };
  for (const SamplerResult& sampler : result.samplers) add(full_label(sampler), sampler);
  add("teacher: " + full_label(result.teacher), result.teacher);
  return table.text();
}

}  // namespace stride
