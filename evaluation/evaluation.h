// Runs samplers on the same seeds and measures them.
#pragma once

#include "evaluation/evaluation_result.h"
#include "evaluation/feature_setup.h"
#include "evaluation/metric_set.h"
#include "pipeline/decoding/image_stage.h"
#include "pipeline/draw.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stride {

struct EvaluationSettings {
  SamplerSpec teacher;  ///< where "rmse" and what ends in "-teacher" are measured from
  std::vector<SamplerSpec> samplers;
  DrawSettings draw;                            ///< its seeds are the samples of every sampler
  int64_t blocks = 8;                           ///< of seeds, for intervals
  std::vector<std::string> metrics = {"rmse"};  ///< names of evaluation/metric_set.h; rmse-p95 comes with rmse
  OwnMetrics own_metrics = {};                  ///< the caller's, beside them
  FeatureSetup features;
  ImageStages pictures = {};            ///< what samples are turned into before anything compares them
  int64_t images = 16;                  ///< samples kept to look at, where they are images
  int64_t paths = 24;                   ///< samples whose steps are kept, for adaptive policies
  std::vector<std::string> notes = {};  ///< what the caller has to say to a reader, a sentence each: warnings, first

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
  /// Whether some metric compares with the teacher's samples.
  [[nodiscard]] bool measured_from_teacher() const;
};

struct EvaluationHooks {
  ProgressFn progress;  ///< in samples; false stops after the sampler that was finished last
  /// After the teacher and after each sampler, with everything so far: to be saved.
  std::function<void(const EvaluationResult& so_far)> finished;
  /// Results of an interrupted run with the same settings: samplers in it are not run again.
  const EvaluationResult* earlier = nullptr;
};

/// Runs the teacher, then every sampler, batch by batch on the same seeds. The start noise of a seed is the same for
/// all, so "rmse" compares a sampler's end point with the teacher's from the same noise. Seconds are wall time in the
/// sampler; a warm-up comes before the clock starts (one batch of each solver and policy on CUDA, one short run on the
/// CPU). A sampler that left some sample non-finite has NaN metrics. Throws UsageError for invalid settings and
/// samplers, for a stochastic teacher where a metric is measured from it, and for plans and predictors that were made
/// with another model, class or guidance.
[[nodiscard]] EvaluationResult evaluate(const Denoiser& denoiser, const ModelCard* card,
                                        const EvaluationSettings& settings, const EvaluationHooks& hooks = {});

}  // namespace stride
