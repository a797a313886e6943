#include "evaluation/evaluation_summary.h"

#include "datasets/metrics/metrics.h"
#include "evaluation/text_table.h"
#include "framework/text_list.h"

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
bool better(double a, double b) { return !std::isnan(a) && (std::isnan(b) || a < b); }

// What samplers are ranked by: RMSE to the teacher where it was measured, else a distance between sets.
std::string ranking_metric(const EvaluationResult& result) {
  for (const char* name : {"rmse", "fd", "fd-teacher", "fd-inf", "fd-inf-teacher", "kid", "kid-teacher", "exact-fd",
                           "swd", "swd-teacher", "feature-distance"}) {
    for (const SamplerResult& sampler : result.samplers) {
      if (sampler.metric(name) != nullptr) return name;
    }
  }
  return "rmse";
}

using ByNfe = std::map<int64_t, const SamplerResult*>;

ByNfe best_fixed(const EvaluationResult& result, bool plans, const std::string& metric) {
  ByNfe best;
  for (const SamplerResult& sampler : result.samplers) {
    if (sampler.adaptive() || sampler.is_plan() != plans || sampler.metric(metric) == nullptr) continue;
    const SamplerResult*& slot = best[nfe_of(sampler)];
    if (slot == nullptr || better(value_of(sampler, metric), value_of(*slot, metric))) slot = &sampler;
  }
  return best;
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

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    out += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  }
  return out;
}

// "predictor tol=0.01": name and options, without the file that an argument names.
std::string policy_label(const std::string& policy) {
  const std::size_t colon = policy.find(':');
  std::string out = policy.substr(0, colon);
  if (colon == std::string::npos) return out;
  for (const std::string& item : split_list(std::string_view(policy).substr(colon + 1)))
    if (item.find('=') != std::string::npos) out += " " + item;
  return out;
}

}  // namespace

std::string solver_label(const SamplerResult& sampler) { return sampler.is_plan() ? "fitted plan" : sampler.sampler; }

std::string full_label(const SamplerResult& sampler) {
  std::string out = solver_label(sampler);
  if (sampler.adaptive()) out = policy_label(sampler.policy) + " · " + out;
  if (!sampler.schedule.empty() && !sampler.is_plan() && !sampler.adaptive()) out += " · " + sampler.schedule;
  return out + " · " + sampler.final;
}

std::vector<SamplerGroup> sampler_groups(const EvaluationResult& result) {
  const std::string metric = ranking_metric(result);
  std::vector<SamplerGroup> groups;
  for (const SamplerResult& sampler : result.samplers) {
    const auto kind = sampler.adaptive()  ? SamplerGroup::Kind::adaptive
                      : sampler.is_plan() ? SamplerGroup::Kind::plan
                                          : SamplerGroup::Kind::classic;
    const std::string policy = sampler.policy.substr(0, sampler.policy.find(':'));
    const std::string label =
        kind == SamplerGroup::Kind::adaptive ? policy + " · " + solver_label(sampler) : solver_label(sampler);
    auto group = std::find_if(groups.begin(), groups.end(),
                              [&](const SamplerGroup& g) { return g.label == label && g.kind == kind; });
    if (group == groups.end()) group = groups.insert(groups.end(), {kind, label, {}, {}});
    auto rival = std::find_if(group->best.begin(), group->best.end(), [&](const SamplerResult* other) {
      return kind != SamplerGroup::Kind::adaptive && nfe_of(*other) == nfe_of(sampler);
    });
    if (rival == group->best.end()) {
      group->best.push_back(&sampler);
    } else if (better(value_of(sampler, metric), value_of(**rival, metric))) {
      group->others.push_back(*rival);
      *rival = &sampler;
    } else {
      group->others.push_back(&sampler);
    }
  }
  for (SamplerGroup& group : groups) {
    std::stable_sort(group.best.begin(), group.best.end(), [](const SamplerResult* a, const SamplerResult* b) {
      return a->cost.nfe_mean < b->cost.nfe_mean;
    });
  }
  std::stable_partition(groups.begin(), groups.end(),
                        [](const SamplerGroup& g) { return g.kind == SamplerGroup::Kind::plan; });
  return groups;
}

std::vector<PlanComparison> plan_comparisons(const EvaluationResult& result) {
  const ByNfe plans = best_fixed(result, true, "rmse");
  const ByNfe classics = best_fixed(result, false, "rmse");
  const ByNfe classics_fd = best_fixed(result, false, "fd");
  std::vector<PlanComparison> out;
  for (const auto& [nfe, plan] : plans) {
    const auto classic = classics.find(nfe);
    if (classic == classics.end()) continue;
    PlanComparison comparison = {nfe, plan, classic->second, {}, std::nullopt};
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

std::string headline(const EvaluationResult& result) {
  const std::vector<PlanComparison> comparisons = plan_comparisons(result);
  if (!comparisons.empty()) {
    std::vector<std::string> steps;
    std::vector<std::string> changes;
    bool all_lower = true;
    bool clear = true;
    for (const PlanComparison& comparison : comparisons) {
      all_lower = all_lower && comparison.rmse.value < 0;
      clear = clear && (std::isnan(comparison.rmse.high) || comparison.rmse.high < 0);
    }
    for (const PlanComparison& comparison : comparisons) {
      steps.push_back(fmt::format("{}", comparison.nfe));
      changes.push_back(all_lower ? percent_text(comparison.rmse.value) : change_text(comparison.rmse.value));
    }
    if (all_lower) {
      return fmt::format(
          "At {} network evaluations, fitted plans have {} lower RMSE to the teacher than the best classic sampler "
          "on its best grid{}.",
          joined(steps), joined(changes), clear ? "" : "; not all of these differences are clear of zero");
    }
    return fmt::format(
        "At {} network evaluations, fitted plans change the RMSE to the teacher by {} against the best classic "
        "sampler on its best grid.",
        joined(steps), joined(changes));
  }
  const std::string metric = ranking_metric(result);
  ByNfe best = best_fixed(result, false, metric);
  for (const auto& [nfe, plan] : best_fixed(result, true, metric)) best[nfe] = plan;
  if (best.empty()) return fmt::format("{} samplers were run; none has a metric to compare.", result.samplers.size());
  const std::string what = metric == "rmse"         ? "RMSE to the teacher"
                           : metric == "fd"         ? "Fréchet distance to the real data"
                           : metric == "fd-teacher" ? "Fréchet distance to the teacher"
                                                    : metric;
  std::string out;
  for (const auto& [nfe, sampler] : {*best.begin(), *best.rbegin()}) {
    const std::string part = fmt::format("at {} network evaluations {} ({})", nfe, full_label(*sampler),
                                         number_text(value_of(*sampler, metric)));
    if (out.empty()) {
      out = fmt::format("Lowest {}: {}", what, part);
    } else if (nfe != best.begin()->first) {
      out += ", " + part;
    }
  }
  return out + ".";
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
                     {"best classic", TextTable::Align::right},
                     {"which", TextTable::Align::left},
                     {"change", TextTable::Align::right},
                     {"95 % interval", TextTable::Align::left}});
    for (const PlanComparison& row : plans) {
      table.add({fmt::format("{}", row.nfe), number_text(value_of(*row.plan, "rmse")),
                 number_text(value_of(*row.classic, "rmse")), full_label(*row.classic), change_text(row.rmse.value),
                 interval(row.rmse)});
    }
    out += "RMSE to the teacher, fitted plans against the best classic sampler at equal NFE\n" + table.text();
  }
  const std::vector<PolicyComparison> policies = policy_comparisons(result);
  if (!policies.empty()) {
    TextTable table({{"policy", TextTable::Align::left},
                     {"mean NFE", TextTable::Align::right},
                     {"RMSE", TextTable::Align::right},
                     {"against classic", TextTable::Align::right},
                     {"against plan", TextTable::Align::right}});
    for (const PolicyComparison& row : policies) {
      table.add({full_label(*row.policy), number_text(row.policy->cost.nfe_mean),
                 number_text(value_of(*row.policy, "rmse")), row.classic ? change_text(row.classic->value) : "–",
                 row.plan ? change_text(row.plan->value) : "–"});
    }
    out += (out.empty() ? "" : "\n") + std::string("Adaptive policies against fixed grids of the same mean NFE\n") +
           table.text();
  }
  return out;
}

}  // namespace stride
