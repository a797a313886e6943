// End points of a fine run: what few-step samplers are fitted and compared to.
#pragma once

#include "framework/denoiser.h"
#include "framework/evaluator.h"
#include "framework/grids/time_grid.h"
#include "framework/progress.h"

#include <string>

namespace stride {

struct TeacherOptions {
  std::string solver = "heun";  ///< a deterministic solver, by its registry name and options
  std::string schedule = "karras";
  int64_t steps = 40;
  Final final = Final::zero;
  double sigma_min = 0.002;
  double sigma_max = 80.0;
  int64_t rows = 1024;  ///< samples that run together

  /// As users write it, e.g. "heun:steps=40".
  [[nodiscard]] std::string text() const;
};

struct TeacherRun {
  Tensor x;                 ///< `[S, …]`; fewer samples when it was stopped
  int64_t evaluations = 0;  ///< denoiser calls, counted per row
  bool stopped = false;
};

/// Runs the teacher on `start` `[S, …]` (EDM coordinates at sigma_max) under `condition` (S rows). `progress`
/// counts samples. Throws UsageError for an unknown or stochastic solver or an unknown schedule, and
/// QualityError when an end point is not finite.
[[nodiscard]] TeacherRun teacher_endpoints(const Denoiser& denoiser, const Guidance& guidance, const Tensor& start,
                                           const BatchState& condition, const TeacherOptions& options,
                                           const ProgressFn& progress = {});

}  // namespace stride
