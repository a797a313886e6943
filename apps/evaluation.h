// Runs samplers on the same seeds and measures them.
#pragma once

#include "apps/evaluation_result.h"
#include "apps/metric_set.h"
#include "apps/sampling.h"
#include "datasets/metrics/frechet.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// Features `[N, F]` of samples `[N, …]` in the data scale.
using FeatureFn = std::function<Tensor(const Tensor& samples)>;

/// What sets of samples are measured in and against.
struct FeatureSetup {
  FeatureFn features;                          ///< none: no metric that needs features
  std::string name, sha256;                    ///< of the network
  std::string quantisation = "none";           ///< what `features` does to pixels first
  std::optional<FeatureStatistics> reference;  ///< of real samples, for "fd"
  std::string reference_name;
  Tensor reference_features;  ///< `[M, F]`, or undefined: for the floor that n real samples reach, KID and the like
  Tensor reference_images;    ///< `[M, …]` in data scale, or undefined: for "swd"

  [[nodiscard]] bool has_reference() const { return reference.has_value() || reference_images.defined(); }
};

struct EvaluationSettings {
  SamplerSpec teacher;  ///< where "rmse" and what ends in "-teacher" are measured from
  std::vector<SamplerSpec> samplers;
  DrawSettings draw;                            ///< its seeds are the samples of every sampler
  int64_t blocks = 8;                           ///< of seeds, for intervals
  std::vector<std::string> metrics = {"rmse"};  ///< names of apps/metric_set.h; rmse-p95 comes with rmse
  FeatureSetup features;
  int64_t images = 16;  ///< samples kept to look at, where they are images
  int64_t paths = 24;   ///< samples whose steps are kept, for adaptive policies

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
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
/// samplers.
[[nodiscard]] EvaluationResult evaluate(const Denoiser& denoiser, const ModelCard* card,
                                        const EvaluationSettings& settings, const EvaluationHooks& hooks = {});

/// A SamplerSpec from `--teacher`: a solver whose options may also be steps, nfe, schedule and final, e.g.
/// `heun:steps=40` or `heun:steps=40,schedule=karras,final=sigma_min`. Without steps and nfe: 40 steps.
[[nodiscard]] SamplerSpec parse_teacher(const std::string& text);

/// The specs of every solver at every NFE on every schedule with every end, and every adaptive policy once for every
/// solver: what `stride evaluate` compares. Plans come once. Combinations that cannot be (an NFE that a solver cannot
/// cost, a policy that cannot steer it) are left out and named in `skipped`. Throws UsageError when nothing remains.
struct SamplerSweep {
  std::vector<std::string> solvers, schedules, policies;
  std::vector<Final> finals = {Final::zero};
  std::vector<int64_t> nfe, steps;  ///< one of the two
  SamplerSpec base;                 ///< everything else
};
[[nodiscard]] std::vector<SamplerSpec> sweep_specs(const SamplerSweep& sweep, const ModelInfo& model,
                                                   const ModelCard* card, std::vector<std::string>& skipped);

}  // namespace stride
