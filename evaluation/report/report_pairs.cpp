// The section of the report that pairs rows seed by seed.
#include "evaluation/comparison/comparison_text.h"
#include "evaluation/report/html.h"
#include "evaluation/report/report_sections.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

namespace stride {
namespace {

using Rows = std::vector<const SamplerResult*>;

// Runs on fixed grids that hold what each seed came to, by NFE, the lowest RMSE first.
std::map<int64_t, Rows> paired_rows(const EvaluationResult& result) {
  std::map<int64_t, Rows> out;
  const auto rmse = [](const SamplerResult* row) { return row->metric("rmse")->all.value; };
  for (const bool plans : {true, false}) {
    for (const SamplerResult* row : fixed_runs(result, plans)) {
      const MetricResult* metric = row->metric("rmse");
      if (metric != nullptr && !std::isnan(metric->all.value) && !row->seeds_npz.empty())
        out[std::llround(row->cost.nfe_mean)].push_back(row);
    }
  }
  std::erase_if(out, [](const auto& entry) { return entry.second.size() < 2; });
  for (auto& [nfe, rows] : out)
    std::stable_sort(rows.begin(), rows.end(), [&](const auto* a, const auto* b) { return rmse(a) < rmse(b); });
  return out;
}

Comparison against_lowest(const EvaluationResult& result, const Rows& rows) {
  EvaluationResult some = result;
  some.samplers.clear();
  RowChoice choice;
  for (const SamplerResult* row : rows) {
    if (!some.samplers.empty()) choice.rows.push_back(some.samplers.size());
    some.samplers.push_back(*row);
  }
  choice.baseline = {0};
  return compare_rows(pool_of(some), choice, {});
}

std::string range(const Estimate& e) {
  return std::isnan(e.low) ? "–" : fmt::format("{} to {}", signed_percent(e.low), signed_percent(e.high));
}

std::vector<HtmlCell> cells(const RowComparison& row) {
  const bool level = !(row.permutation_holm < 0.05);
  return {{escape_xml((level ? "≈ " : "") + row.row.label), ""},
          {escape_xml(number_text(row.row.error)), ""},
          {escape_xml(signed_percent(row.change.value)), ""},
          {escape_xml(range(row.change)), ""},
          {escape_xml(range(row.change_bootstrap)), ""},
          {fmt::format("{} of {}", row.better, row.better + row.worse + row.ties), ""},
          {escape_xml(number_text(row.sign_holm, 2)), ""},
          {escape_xml(number_text(row.permutation_holm, 2)), ""}};
}

}  // namespace

std::string paired_section(const EvaluationResult& result) {
  const std::map<int64_t, Rows> by_nfe = paired_rows(result);
  if (by_nfe.empty()) return "";
  std::vector<std::vector<HtmlCell>> rows;
  int64_t blocks = 0;
  for (const auto& [nfe, members] : by_nfe) {
    const Comparison comparison = against_lowest(result, members);
    blocks = comparison.settings.blocks;
    rows.push_back({{fmt::format("NFE {}: against {}, the lowest of {} runs (RMSE {})", nfe,
                                 escape_xml(full_label(*members.front())), members.size(),
                                 escape_xml(number_text(members.front()->metric("rmse")->all.value))),
                     ""}});
    for (const RowComparison& row : comparison.rows) rows.push_back(cells(row));
  }
  return "<section><h2>Paired differences</h2>" +
         element(
             "p",
             fmt::format("Each run against the lowest RMSE of its NFE, paired over {} seeds, so that what a hard seed "
                         "does to both cancels. That one was chosen on these seeds, which favours it. ≈: not told "
                         "apart from it (permutation test, 5 %, adjusted for the runs of its NFE by Holm's method).",
                         result.n),
             "note") +
         "<details><summary>All pairs</summary>" +
         html_table({{"sampler", "name", ""},
                     {"RMSE", "number", ""},
                     {"change", "number", "RMSE over the lowest RMSE, less 1"},
                     {"95 %, jackknife", "number", fmt::format("delete-one-block jackknife over {} blocks", blocks)},
                     {"95 %, bootstrap", "number", "BCa bootstrap of 9,999 resamples"},
                     {"better on", "number", "seeds on which its error is smaller"},
                     {"p, sign", "number", "exact sign test, adjusted"},
                     {"p, swap", "number", "permutation test, adjusted"}},
                    rows, "results") +
         "</details></section>\n";
}

}  // namespace stride
