// A few-step plan for a denoiser, in one call.
#pragma once

#include "pipeline/choices.h"
#include "pipeline/fitting.h"

#include <map>
#include <optional>
#include <string>

namespace stride {

/// How to fit: the fields are the options of `stride fit`, by their names (docs/library.md
/// says which few differ).
struct FitSettings {
  std::optional<int64_t> nfe = {};   ///< evaluations of the plan; by default those of init_plan, else 5
  std::string method = "stride";     ///< a named combination of the next two, each of which overrides it
  std::string parametrisation = {};  ///< of grid, weights and times, joined by "+"
  std::string residual = {};         ///< what is compared: pixels, encoder, features:CARD
  std::string teacher = "heun:steps=40";
  Seeds seeds = "0-255";
  Seeds val_seeds = "5000-5127";  ///< the plan is chosen on these
  std::string final = "best";     ///< zero, sigma_min, or the better of both
  std::optional<double> sigma_min = {}, sigma_max = {};
  int64_t restarts = 2;
  int64_t iterations = 16;
  double weight_prior = 1e-3;
  double scale_prior = 1e-2;
  std::optional<double> huber = {};
  int64_t budget_evals = 0;  ///< 0: no limit
  int64_t fit_rows = 1024;
  std::string fit_memory = {};  ///< "512M"
  std::optional<Plan> init_plan = {};

  LabelChoice label = {};                         ///< the class, where the model takes one: 3, "0-9", "random"
  std::map<std::string, Tensor> conditions = {};  ///< by name, and as negative.NAME: for all seeds, or a row for each,
                                                  ///< of `seeds` and then of `val_seeds`
  std::string guidance = {};
  std::string threshold = {};
  bool clip = false;
  int64_t batch = 64;  ///< of the teacher's runs
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  ProgressFn progress = {};  ///< the teacher's samples, then Levenberg–Marquardt iterations
};

/// Fits a plan to the end points of the teacher. PlanFitResult::plan is the plan with what it was made with: save it,
/// or sample with it. Throws UsageError on settings that make no sense, QualityError where the teacher's samples do not
/// end well. Stopped by `progress` before there was a plan, its nfe() is 0.
[[nodiscard]] PlanFitResult fit(const ModelChoice& model, const FitSettings& settings = {});

/// The same on recorded end points: the teacher, its seeds and its range are the store's. `seeds` and `val_seeds` of
/// the settings must be in it. Throws InputError where they are not, or where the store was recorded on another model.
[[nodiscard]] PlanFitResult fit(const ModelChoice& model, const TrajectoryStore& store, const FitSettings& settings);

}  // namespace stride
