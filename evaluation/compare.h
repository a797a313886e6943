// Samplers of one denoiser compared, in one call.
#pragma once

#include "evaluation/evaluation_result.h"
#include "evaluation/metric_set.h"
#include "pipeline/choices.h"

#include <concepts>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// A sampler to compare: a solver, at every count and on every grid; or under one policy.
struct Contender {
  template <typename Solver>
  requires std::convertible_to<Solver, SolverChoice> Contender(Solver solver, PolicyChoice policy = {})
      : solver(std::move(solver)), policy(std::move(policy)) {}

  SolverChoice solver;
  PolicyChoice policy;
};

/// How to compare: the fields are the options of `stride evaluate`, by their names (docs/library.md
/// says which few differ).
struct EvaluateSettings {
  std::vector<int64_t> nfe = {};    ///< counts of evaluations, by default 4, 6 and 8
  std::vector<int64_t> steps = {};  ///< in their place: counts of steps
  std::vector<std::string> schedule = {"karras"};
  std::string final = "zero";  ///< zero, sigma_min, or both
  std::optional<double> sigma_min = {}, sigma_max = {};
  std::string noise_schedule = {};
  std::string teacher = "heun:steps=40";
  std::vector<std::string> metrics = {"rmse"};  ///< names of docs/evaluation.md
  OwnMetrics own_metrics = {};                  ///< the caller's, beside them
  std::string features = {}, ref = {}, quantise = "none";
  int64_t blocks = 8;   ///< of seeds, for intervals
  int64_t images = 16;  ///< samples kept to look at, where they are images
  Seeds seeds = "10000-10255";

  LabelChoice label = {};                         ///< the class, where the model takes one: 3, "0-9", "random"
  std::map<std::string, Tensor> conditions = {};  ///< by name, and as negative.NAME: for all seeds, or a row for each
  std::string guidance = {};
  std::string threshold = {};
  bool clip = false;
  int64_t batch = 64;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  bool allow_model_mismatch = false;
  std::shared_ptr<const OwnGrids> own_grids = {};              ///< the caller's, which `schedule` may name too
  ProgressFn progress = {};                                    ///< in samples
  std::function<void(const std::string& what)> left_out = {};  ///< hears of combinations that cannot be
};

/// Runs the teacher and every contender on the same seeds. results_table (evaluation/results_table.h) shows the result,
/// to_csv and to_json write it. Combinations that cannot be, as an NFE that a solver cannot cost, are left out; plans
/// and policies run once. Throws UsageError on unknown names, and where nothing can run as asked.
[[nodiscard]] EvaluationResult evaluate(const ModelChoice& model, const std::vector<Contender>& samplers,
                                        const EvaluateSettings& settings = {});

}  // namespace stride
