#include "evaluation/evaluation_summary.h"

#include "datasets/metrics/metrics.h"
#include "evaluation/metric_facts.h"
#include "evaluation/text_table.h"
#include "evaluation/winners.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

namespace stride {
namespace {

int64_t nfe_of(const SamplerResult& sampler) { return std::llround(sampler.cost.nfe_mean); }

double value_of(const SamplerResult& sampler, const std::string& metric) {
  const MetricResult* found = sampler.metric(metric);
  return found == nullptr ? std::nan("") : found->all.value;
}

// NaN is worse than everything.
bool better(double a, double b, const std::string& metric) {
  return !std::isnan(a) && (std::isnan(b) || (higher_is_better(metric) ? a > b : a < b));
}

bool same_file(const SamplerResult& a, const SamplerResult& b) {
  return source_of(a) == source_of(b) && a.policy_sha256 == b.policy_sha256;
}

// The same sampler on the same levels: two runs of it are one opponent. Plans are told apart by what they hold.
bool same_run(const SamplerResult& a, const SamplerResult& b) {
  if (a.is_plan() && b.is_plan() && !a.plan_json.empty()) return a.plan_json == b.plan_json && a.sigmas == b.sigmas;
  return a.sampler == b.sampler && a.schedule == b.schedule && a.final == b.final && a.steps == b.steps &&
         a.sigmas == b.sigmas;
}

// Lines of one name get the tags of their first rows.
void name_apart(std::vector<SamplerGroup>& groups, const std::vector<const SamplerResult*>& first,
                const std::vector<EvaluationPart>& parts) {
  std::map<std::string, std::vector<std::size_t>> same;
  for (std::size_t i = 0; i < groups.size(); ++i) same[groups[i].label].push_back(i);
  for (const auto& [label, places] : same) {
    std::vector<const SamplerResult*> rows;
    for (const std::size_t place : places) rows.push_back(first[place]);
    const std::vector<std::string> tags = distinct_tags(rows, parts);
    for (std::size_t i = 0; i < places.size(); ++i)
      if (!tags[i].empty()) groups[places[i]].label += fmt::format(" ({})", tags[i]);
  }
}

using ByNfe = std::map<int64_t, const SamplerResult*>;

ByNfe best_fixed(const EvaluationResult& result, bool plans, const std::string& metric) {
  ByNfe best;
  for (const SamplerResult& sampler : result.samplers) {
    if (sampler.adaptive() || sampler.is_plan() != plans || sampler.metric(metric) == nullptr) continue;
    const SamplerResult*& slot = best[nfe_of(sampler)];
    if (slot == nullptr || better(value_of(sampler, metric), value_of(*slot, metric), metric)) slot = &sampler;
  }
  return best;
}

std::vector<const SamplerResult*> at_nfe(std::vector<const SamplerResult*> rows, int64_t nfe) {
  std::erase_if(rows, [&](const SamplerResult* row) { return nfe_of(*row) != nfe; });
  return rows;
}

std::vector<int64_t> sizes(const SamplerResult& sampler) {
  std::vector<int64_t> out;
  for (const SampleCost& block : sampler.blocks) out.push_back(block.n);
  return out;
}

// Block values of the RMSE on the line between two neighbours, at `nfe`.
std::optional<std::vector<double>> between(const ByNfe& fixed, double nfe) {
  const SamplerResult* below = nullptr;
  const SamplerResult* above = nullptr;
  for (const auto& [at, sampler] : fixed) {
    if (sampler->cost.nfe_mean <= nfe) below = sampler;
    if (above == nullptr && sampler->cost.nfe_mean >= nfe) above = sampler;
  }
  if (below == nullptr || above == nullptr) return std::nullopt;
  const double from = std::log(below->cost.nfe_mean);
  const double to = std::log(above->cost.nfe_mean);
  const double share = to > from ? (std::log(nfe) - from) / (to - from) : 0.0;
  const std::vector<double>& low = below->metric("rmse")->blocks;
  const std::vector<double>& high = above->metric("rmse")->blocks;
  if (low.size() != high.size()) return std::nullopt;
  std::vector<double> out;
  for (std::size_t i = 0; i < low.size(); ++i)
    out.push_back(std::exp((1 - share) * std::log(low[i]) + share * std::log(high[i])));
  return out;
}

}  // namespace

std::string ranking_metric(const EvaluationResult& result) {
  for (const char* name : {"rmse", "fd", "fd-teacher", "fd-inf", "fd-inf-teacher", "kid", "kid-teacher", "exact-fd",
                           "swd", "swd-teacher", "feature-distance"}) {
    for (const SamplerResult& sampler : result.samplers) {
      if (sampler.metric(name) != nullptr) return name;
    }
  }
  return "rmse";
}

std::vector<SamplerGroup> sampler_groups(const EvaluationResult& result, const std::string& by) {
  const std::string metric = by.empty() ? ranking_metric(result) : by;
  std::vector<SamplerGroup> groups;
  std::vector<const SamplerResult*> first;  // of each group
  for (const SamplerResult& sampler : result.samplers) {
    const auto kind = sampler.adaptive()  ? SamplerGroup::Kind::adaptive
                      : sampler.is_plan() ? SamplerGroup::Kind::plan
                                          : SamplerGroup::Kind::classic;
    const std::string policy = sampler.policy.substr(0, sampler.policy.find(':'));
    const std::string label =
        kind == SamplerGroup::Kind::adaptive ? policy + " · " + solver_label(sampler) : solver_label(sampler);
    std::size_t place = 0;
    const auto belongs = [&](const SamplerGroup& g) {
      const bool one_file = kind != SamplerGroup::Kind::adaptive || same_file(*first[place], sampler);
      return g.label == label && g.kind == kind && one_file;
    };
    while (place < groups.size() && !belongs(groups[place])) ++place;
    if (place == groups.size()) {
      groups.push_back({kind, label, {}, {}});
      first.push_back(&sampler);
    }
    SamplerGroup* const group = &groups[place];
    auto rival = std::find_if(group->best.begin(), group->best.end(), [&](const SamplerResult* other) {
      return kind != SamplerGroup::Kind::adaptive && nfe_of(*other) == nfe_of(sampler);
    });
    if (rival == group->best.end()) {
      group->best.push_back(&sampler);
    } else if (better(value_of(sampler, metric), value_of(**rival, metric), metric)) {
      group->others.push_back(*rival);
      *rival = &sampler;
    } else {
      group->others.push_back(&sampler);
    }
  }
  name_apart(groups, first, result.parts);
  for (SamplerGroup& group : groups) {
    std::stable_sort(group.best.begin(), group.best.end(), [](const SamplerResult* a, const SamplerResult* b) {
      return a->cost.nfe_mean < b->cost.nfe_mean;
    });
  }
  std::stable_partition(groups.begin(), groups.end(),
                        [](const SamplerGroup& g) { return g.kind == SamplerGroup::Kind::plan; });
  return groups;
}

std::vector<const SamplerResult*> fixed_runs(const EvaluationResult& result, bool plans) {
  std::vector<const SamplerResult*> out;
  const auto known = [&](const SamplerResult& sampler) {
    return std::any_of(out.begin(), out.end(), [&](const SamplerResult* other) { return same_run(sampler, *other); });
  };
  for (const SamplerResult& sampler : result.samplers)
    if (!sampler.adaptive() && sampler.is_plan() == plans && !known(sampler)) out.push_back(&sampler);
  return out;
}

std::vector<PlanComparison> plan_comparisons(const EvaluationResult& result) {
  const ByNfe plans = best_fixed(result, true, "rmse");
  const ByNfe classics = best_fixed(result, false, "rmse");
  const ByNfe classics_fd = best_fixed(result, false, "fd");
  std::vector<PlanComparison> out;
  for (const auto& [nfe, plan] : plans) {
    const auto classic = classics.find(nfe);
    if (classic == classics.end()) continue;
    PlanComparison comparison;
    comparison.nfe = nfe;
    comparison.plan = plan;
    comparison.classic = classic->second;
    comparison.plans = at_nfe(fixed_runs(result, true), nfe);
    comparison.opponents = at_nfe(fixed_runs(result, false), nfe);
    comparison.rmse = paired_ratio(plan->metric("rmse")->blocks, classic->second->metric("rmse")->blocks, sizes(*plan));
    const auto fd = classics_fd.find(nfe);
    if (fd != classics_fd.end() && plan->metric("fd") != nullptr) {
      comparison.fd = value_of(*plan, "fd") / value_of(*fd->second, "fd") - 1.0;
    }
    out.push_back(comparison);
  }
  return out;
}

std::vector<PolicyComparison> policy_comparisons(const EvaluationResult& result) {
  const ByNfe plans = best_fixed(result, true, "rmse");
  const ByNfe classics = best_fixed(result, false, "rmse");
  std::vector<PolicyComparison> out;
  for (const SamplerResult& sampler : result.samplers) {
    if (!sampler.adaptive() || sampler.metric("rmse") == nullptr) continue;
    const std::vector<double>& mine = sampler.metric("rmse")->blocks;
    const auto against = [&](const ByNfe& fixed) -> std::optional<Estimate> {
      const auto there = between(fixed, sampler.cost.nfe_mean);
      if (!there || there->size() != mine.size()) return std::nullopt;
      return paired_ratio(mine, *there, sizes(sampler));
    };
    out.push_back({&sampler, against(classics), against(plans)});
  }
  return out;
}

int64_t gave_up(const EvaluationResult& result) {
  int64_t bad = result.teacher.gave_up;
  for (const SamplerResult& sampler : result.samplers) bad += sampler.gave_up;
  return bad;
}

int64_t not_finite(const EvaluationResult& result) {
  int64_t bad = result.teacher.not_finite;
  for (const SamplerResult& sampler : result.samplers) bad += sampler.not_finite;
  return bad;
}

std::string comparison_text(const EvaluationResult& result) {
  const auto interval = [](const Estimate& e) {
    return std::isnan(e.low) ? std::string() : fmt::format("{} to {}", change_text(e.low), change_text(e.high));
  };
  std::string out;
  const std::vector<PlanComparison> plans = plan_comparisons(result);
  if (!plans.empty()) {
    TextTable table({{"NFE", TextTable::Align::right},
                     {"fitted plan", TextTable::Align::right},
                     {"lowest other", TextTable::Align::right},
                     {"which", TextTable::Align::left},
                     {"of runs", TextTable::Align::right},
                     {"change", TextTable::Align::right},
                     {"95 % interval", TextTable::Align::left}});
    std::vector<const SamplerResult*> opponents;
    for (const PlanComparison& row : plans) {
      opponents.insert(opponents.end(), row.opponents.begin(), row.opponents.end());
      const std::string which = row.plan->tag.empty() ? "" : fmt::format(" ({})", row.plan->tag);
      table.add({fmt::format("{}", row.nfe), number_text(value_of(*row.plan, "rmse")) + which,
                 number_text(value_of(*row.classic, "rmse")), full_label(*row.classic),
                 fmt::format("{}", row.opponents.size()), change_text(row.rmse.value), interval(row.rmse)});
    }
    out += fmt::format("RMSE to the teacher, fitted plans against the lowest of the other runs at equal NFE: {}\n{}",
                       runs_text(opponents), table.text());
  }
  const std::vector<PolicyComparison> policies = policy_comparisons(result);
  if (!policies.empty()) {
    TextTable table({{"policy", TextTable::Align::left},
                     {"mean NFE", TextTable::Align::right},
                     {"RMSE", TextTable::Align::right},
                     {"against others", TextTable::Align::right},
                     {"against plans", TextTable::Align::right}});
    for (const PolicyComparison& row : policies) {
      table.add({full_label(*row.policy), number_text(row.policy->cost.nfe_mean),
                 number_text(value_of(*row.policy, "rmse")), row.classic ? change_text(row.classic->value) : "–",
                 row.plan ? change_text(row.plan->value) : "–"});
    }
    const std::vector<const SamplerResult*> others = fixed_runs(result, false);
    const bool alone = others.empty() && fixed_runs(result, true).empty();
    out += fmt::format("{}{}{}\n{}", out.empty() ? "" : "\n",
                       alone ? "RMSE of adaptive policies; there is no run on a fixed grid to set them against"
                             : "RMSE of adaptive policies against the lowest of the other runs at the same mean NFE",
                       others.empty() ? "" : ": " + runs_text(others), table.text());
  }
  return out;
}

}  // namespace stride
