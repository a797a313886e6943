// An evaluation in a sentence. It claims no more than was run: what it compares with is counted and named.
#include "evaluation/evaluation_summary.h"
#include "evaluation/metric_facts.h"
#include "evaluation/winners.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

namespace stride {
namespace {

using Rows = std::vector<const SamplerResult*>;

std::vector<std::string> texts(const std::vector<std::size_t>& counts) {
  std::vector<std::string> out;
  for (const std::size_t count : counts) out.push_back(fmt::format("{}", count));
  return out;
}

bool all_equal(const std::vector<std::size_t>& counts) {
  return std::all_of(counts.begin(), counts.end(), [&](std::size_t count) { return count == counts.front(); });
}

// "the lowest of 6 runs of ipndm and dpmpp_2m over 2 grids", at each NFE.
std::string opponents_text(const std::vector<PlanComparison>& comparisons) {
  std::vector<std::size_t> counts;
  Rows all;
  std::set<std::string> labels;
  for (const PlanComparison& comparison : comparisons) {
    counts.push_back(comparison.opponents.size());
    all.insert(all.end(), comparison.opponents.begin(), comparison.opponents.end());
    for (const SamplerResult* row : comparison.opponents) labels.insert(full_label(*row));
  }
  if (labels.size() == 1)
    return fmt::format("{}, the only other run on a fixed grid{}", *labels.begin(),
                       comparisons.size() > 1 ? " at each" : "");
  // The runs of all NFEs together name solvers and grids; how many there were is said for each.
  const std::string text = runs_text(all);
  const std::string of = text.substr(text.find(" of "));
  if (all_equal(counts))
    return fmt::format("{}the lowest of {} runs{}", comparisons.size() > 1 ? "each time " : "", counts.front(), of);
  return fmt::format("the lowest of {} runs{}", joined(texts(counts)), of);
}

std::string plans_text(const std::vector<PlanComparison>& comparisons) {
  std::vector<std::size_t> counts;
  for (const PlanComparison& comparison : comparisons) counts.push_back(comparison.plans.size());
  if (all_equal(counts) && counts.front() == 1) return comparisons.size() == 1 ? "the fitted plan" : "fitted plans";
  if (comparisons.size() == 1) return fmt::format("the best of {} fitted plans", counts.front());
  if (all_equal(counts)) return fmt::format("the best of {} fitted plans each", counts.front());
  return fmt::format("the best of {} fitted plans", joined(texts(counts)));
}

std::string plan_headline(const std::vector<PlanComparison>& comparisons) {
  std::vector<std::string> steps, changes;
  bool all_lower = true, clear = true, seen = false;
  for (const PlanComparison& comparison : comparisons) {
    all_lower = all_lower && comparison.rmse.value < 0;
    clear = clear && comparison.rmse.high < 0;
    seen = seen || !comparison.plan->seeds_seen.empty();
  }
  for (const PlanComparison& comparison : comparisons) {
    steps.push_back(fmt::format("{}", comparison.nfe));
    changes.push_back(all_lower ? percent_text(comparison.rmse.value) : change_text(comparison.rmse.value));
  }
  const std::string plans = plans_text(comparisons);
  const bool one = plans == "the fitted plan" || (comparisons.size() == 1 && plans != "fitted plans");
  const std::string where = fmt::format("At {} network evaluations", joined(steps));
  std::string out = all_lower ? fmt::format("{}, {} {} {} lower RMSE to the teacher than {}{}.", where, plans,
                                            one ? "has" : "have", joined(changes), opponents_text(comparisons),
                                            clear ? "" : "; not all of these differences are clear of zero")
                              : fmt::format("{}, {} {} the RMSE to the teacher by {} against {}.", where, plans,
                                            one ? "changes" : "change", joined(changes), opponents_text(comparisons));
  if (seen) out += " Plans were fitted to, or chosen on, some of these seeds, which favours them.";
  return out;
}

// "at 4 network evaluations ipndm · karras · zero (0.102; the intervals of 2 others reach its own)".
std::string lowest_text(int64_t nfe, const Rows& rows, const std::string& metric) {
  const Winners found = winners(rows, metric);
  if (found.best == nullptr) return "";
  std::string how;
  if (rows.size() == 1) {
    how = "; the only run there";
  } else if (!found.intervals) {
    how = "; without intervals";
  } else if (!found.level.empty()) {
    how = found.level.size() == 1 ? "; the interval of 1 other reaches its own"
                                  : fmt::format("; the intervals of {} others reach its own", found.level.size());
  }
  return fmt::format("at {} network evaluations {} ({}{})", nfe, full_label(*found.best),
                     number_text(found.best->metric(metric)->all.value), how);
}

}  // namespace

std::string headline(const EvaluationResult& result) {
  const std::vector<PlanComparison> comparisons = plan_comparisons(result);
  if (!comparisons.empty()) return plan_headline(comparisons);
  const std::string metric = ranking_metric(result);
  Rows all = fixed_runs(result, false);
  const Rows plans = fixed_runs(result, true);
  all.insert(all.end(), plans.begin(), plans.end());
  std::map<int64_t, Rows> by_nfe;
  for (const SamplerResult* row : all) {
    const MetricResult* found = row->metric(metric);
    if (found != nullptr && !std::isnan(found->all.value)) by_nfe[std::llround(row->cost.nfe_mean)].push_back(row);
  }
  if (by_nfe.empty())
    return fmt::format(
        "{} run; none on a fixed grid has a metric to compare.",
        result.samplers.size() == 1 ? "1 sampler was" : fmt::format("{} samplers were", result.samplers.size()));
  std::string out = fmt::format("Lowest {}{}: {}", metric_words(metric), all.size() > 1 ? " of " + runs_text(all) : "",
                                lowest_text(by_nfe.begin()->first, by_nfe.begin()->second, metric));
  if (by_nfe.size() > 1) out += ", " + lowest_text(by_nfe.rbegin()->first, by_nfe.rbegin()->second, metric);
  return out + ".";
}

}  // namespace stride
