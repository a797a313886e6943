// What an evaluation says, in comparisons and in one sentence: used by evaluate, report and demo.
#pragma once

#include "apps/evaluation_result.h"

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

/// A number for people: `digits` significant ones, no exponent between 1e-4 and 1e6; "–" for NaN.
[[nodiscard]] std::string number_text(double value, int digits = 3);
/// A count of evaluations: "5", or "6.25" for the mean of an adaptive policy.
[[nodiscard]] std::string nfe_text(double nfe);
/// "−62 %", "+3 %", "±0 %".
[[nodiscard]] std::string change_text(double ratio);
/// "0.84 ms", "12.1 s".
[[nodiscard]] std::string seconds_text(double seconds);
[[nodiscard]] std::string bytes_text(int64_t bytes);

/// A table for the terminal: plan comparisons, then policy comparisons; empty where there is neither.
[[nodiscard]] std::string comparison_text(const EvaluationResult& result);

}  // namespace stride
