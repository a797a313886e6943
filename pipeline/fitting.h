// Fitting a plan, from names to a table with its provenance: the work of `stride fit`, used by the demo and the
// library's `fit` as well.
#pragma once

#include "adaptive/plan/plan_fit.h"
#include "datasets/store/trajectory_store.h"
#include "pipeline/draw.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// A combination that `method` names.
struct FitMethod {
  std::string name, parametrisation, optimiser, residual, summary;
};
[[nodiscard]] const std::vector<FitMethod>& fit_methods();
/// Throws UsageError with 'did you mean' on an unknown name.
[[nodiscard]] const FitMethod& find_fit_method(const std::string& name);

/// What `pixels` (none), `encoder` or `features:CARD` compares of end points. The map holds on to `denoiser` where it
/// needs it. Throws UsageError on other words, and where the denoiser has no such thing.
[[nodiscard]] EndPointMap end_point_map(const std::string& residual, std::shared_ptr<const Denoiser> denoiser);

/// Whose end points a plan is to meet, on which seeds, and how.
struct FitTask {
  SamplerSpec teacher;
  std::string teacher_text;  ///< as the plan's file names it
  std::vector<int64_t> seeds, validation_seeds;
  /// Of the teacher's runs, and condition and guidance of the plan's. Its own seeds are not used; what has a row a seed
  /// has those of `seeds` and then those of `validation_seeds`.
  DrawSettings draw;
  PlanFitOptions fit;

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// A fit that begins with a plan has that plan's end and no other starts. Throws UsageError where `final` (none: not
/// asked for) or `restarts` (asked for) say otherwise.
void require_one_start(const Plan& initial, const std::optional<std::string>& final, bool restarts);

/// The sampler whose end points are met: deterministic, on the range of the fit. Throws UsageError on others.
[[nodiscard]] Sampler fit_teacher(const FitTask& task, const ModelInfo& model, const ModelCard* card = nullptr);

/// The seeds of a fit, and those that the plan is chosen on.
struct FitData {
  PlanFitData train, validation;
  MadeWith made_with = {};  ///< what the plan will say: teacher, conditions, precision and seeds
};

/// Runs the teacher on all seeds, in one go; none when `progress` (in samples) ended that. Throws QualityError where a
/// sample did not end well.
[[nodiscard]] std::optional<FitData> teacher_end_points(const Sampler& teacher, const Denoiser& denoiser,
                                                        const FitTask& task, const ProgressFn& progress = {});

/// The classes that these seeds were recorded with; `asked` where the store does not say them, or the model takes none.
/// Throws InputError where a seed is not there, UsageError where `asked` is given and is not what was recorded.
[[nodiscard]] LabelChoice recorded_labels(const TrajectoryStore& store, const std::vector<int64_t>& seeds,
                                          const LabelChoice& asked, const ModelInfo& model);

/// Takes them from the first and last points of recorded trajectories. Throws InputError where a seed is not there or a
/// trajectory did not end well, UsageError where class, guidance or bounds are not those of the task.
[[nodiscard]] FitData recorded_end_points(const TrajectoryStore& store, const Denoiser& denoiser, const FitTask& task);

/// Fits within the memory of the task. The plan of the result says what it was made with, unless there is none:
/// nfe() is 0. Throws as fit_plan.
[[nodiscard]] PlanFitResult fit_to(const FitData& data, const Denoiser& denoiser, const FitTask& task,
                                   const ProgressFn& progress = {});

/// "512M" as bytes: a whole number, with K, M or G for powers of 1,024. Throws UsageError, naming `where`.
[[nodiscard]] int64_t parse_bytes(const std::string& text, const std::string& where);

}  // namespace stride
