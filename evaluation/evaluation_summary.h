// What an evaluation says, in comparisons and in one sentence: used by evaluate, report and demo.
#pragma once

#include "evaluation/evaluation_result.h"
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
  std::vector<const SamplerResult*> best;  ///< by ascending NFE; on fixed grids the lowest RMSE of each NFE
  std::vector<const SamplerResult*> others;
};

/// Groups in order of first appearance, plans first. Pointers into `result`.
[[nodiscard]] std::vector<SamplerGroup> sampler_groups(const EvaluationResult& result);

/// A fitted plan against the best sampler on a fixed grid that is no plan, at one NFE and on the same seeds.
struct PlanComparison {
  int64_t nfe = 0;
  const SamplerResult* plan = nullptr;
  const SamplerResult* classic = nullptr;  ///< the lowest RMSE over solvers, schedules and ends
  Estimate rmse;                           ///< RMSE(plan)/RMSE(classic) − 1, interval by paired blocks
  std::optional<double> fd;                ///< FD(plan)/FD(lowest FD of a classic at this NFE) − 1
};
/// One for each NFE that has both, ascending.
[[nodiscard]] std::vector<PlanComparison> plan_comparisons(const EvaluationResult& result);

/// An adaptive policy against fixed grids of the same mean NFE: their RMSE there is read off the line between the two
/// neighbouring NFEs, both axes logarithmic.
struct PolicyComparison {
  const SamplerResult* policy = nullptr;
  std::optional<Estimate> classic;  ///< RMSE(policy)/RMSE(best classic there) − 1; none: outside their NFEs
  std::optional<Estimate> plan;     ///< the same against the fitted plans
};
[[nodiscard]] std::vector<PolicyComparison> policy_comparisons(const EvaluationResult& result);

/// The result in a sentence or two, computed from the data.
[[nodiscard]] std::string headline(const EvaluationResult& result);

/// "fitted plan", "ipndm", "heun": the solver without file names; with its options.
[[nodiscard]] std::string solver_label(const SamplerResult& sampler);
/// "ipndm · logsnr · zero".
[[nodiscard]] std::string full_label(const SamplerResult& sampler);

/// Samples that ended with NaN or infinity, over the teacher and all samplers.
[[nodiscard]] int64_t not_finite(const EvaluationResult& result);

/// A table for the terminal: plan comparisons, then policy comparisons; empty where there is neither.
[[nodiscard]] std::string comparison_text(const EvaluationResult& result);

}  // namespace stride
