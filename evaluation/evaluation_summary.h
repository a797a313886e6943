// What an evaluation says, in comparisons and in one sentence: used by evaluate, report and demo.
#pragma once

#include "evaluation/evaluation_result.h"
#include "evaluation/labels.h"
#include "evaluation/number_text.h"

#include <optional>
#include <string>
#include <vector>

namespace stride {

/// Samplers that belong on one line of a plot: one solver on any grid, all plans, or one policy.
struct SamplerGroup {
  enum class Kind { plan, classic, adaptive };
  Kind kind = Kind::classic;
  std::string label;                       ///< for people: "fitted plan", "ipndm", "pi · dpmpp_2m"
  std::vector<const SamplerResult*> best;  ///< by ascending NFE; on fixed grids the best of each NFE by the metric
  std::vector<const SamplerResult*> others;
};

/// What samplers are ranked by where nothing else is said: the RMSE to the teacher where it was measured, else a
/// distance between sets.
[[nodiscard]] std::string ranking_metric(const EvaluationResult& result);

/// Groups in order of first appearance, plans first; the best by `metric`, empty: ranking_metric. Pointers into
/// `result`.
[[nodiscard]] std::vector<SamplerGroup> sampler_groups(const EvaluationResult& result, const std::string& metric = "");

/// A fitted plan against the other samplers on fixed grids that ran at one NFE, on the same seeds.
struct PlanComparison {
  int64_t nfe = 0;
  const SamplerResult* plan = nullptr;          ///< the lowest RMSE of `plans`
  const SamplerResult* classic = nullptr;       ///< the lowest RMSE of `opponents`
  std::vector<const SamplerResult*> plans;      ///< every plan of this NFE
  std::vector<const SamplerResult*> opponents;  ///< every other run on a fixed grid at this NFE
  Estimate rmse;                                ///< RMSE(plan)/RMSE(classic) − 1, interval by paired blocks
  std::optional<double> fd;                     ///< FD(plan)/FD(lowest FD of the opponents) − 1
};
/// One for each NFE that has both, ascending.
[[nodiscard]] std::vector<PlanComparison> plan_comparisons(const EvaluationResult& result);

/// An adaptive policy against fixed grids of the same mean NFE: their RMSE there is read off the line between the two
/// neighbouring NFEs, both axes logarithmic.
struct PolicyComparison {
  const SamplerResult* policy = nullptr;
  std::optional<Estimate> classic;  ///< RMSE(policy)/RMSE(lowest other there) − 1; none: outside their NFEs
  std::optional<Estimate> plan;     ///< the same against the fitted plans
};
[[nodiscard]] std::vector<PolicyComparison> policy_comparisons(const EvaluationResult& result);

/// Every run on a fixed grid that is no plan, or every plan; what several joined runs did alike counts once.
[[nodiscard]] std::vector<const SamplerResult*> fixed_runs(const EvaluationResult& result, bool plans);

/// The result in a sentence or two, computed from the data: it names what was compared with what.
[[nodiscard]] std::string headline(const EvaluationResult& result);

/// Samples that ended with NaN or infinity, over the teacher and all samplers.
[[nodiscard]] int64_t not_finite(const EvaluationResult& result);
/// Samples that did not reach the end of their run, likewise.
[[nodiscard]] int64_t gave_up(const EvaluationResult& result);

/// A table for the terminal: plan comparisons, then policy comparisons; empty where there is neither.
[[nodiscard]] std::string comparison_text(const EvaluationResult& result);

}  // namespace stride
