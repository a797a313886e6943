// Training a step predictor, from stored trajectories only.
#pragma once

#include "datasets/store/trajectory_store.h"
#include "framework/progress.h"
#include "neural/predictor/step_examples.h"
#include "neural/predictor/step_predictor.h"

#include <memory>
#include <string>

namespace stride {

struct PredictorTraining {
  std::string base = "dpmpp_2m";  ///< the solver whose steps are learned, with its options: see base_refusal
  ExampleOptions examples = {};
  std::vector<int64_t> hidden = {32, 32};
  double quantile = 0.4;  ///< of the largest allowed step; below 0.5 is cautious
  int64_t steps = 3000;
  int64_t batch = 1024;
  double learning_rate = 3e-3;
  double weight_decay = 1e-4;
  double held_out = 0.15;  ///< share of the trajectories that only measures
  uint64_t seed = 0;
  at::Device device = at::kCPU;  ///< where the networks are trained; what is returned lies on the CPU

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// How a predictor does on trajectories that it never saw.
struct PredictorReport {
  int64_t examples = 0, held_out = 0;
  double constant_loss = 0.0;  ///< pinball loss of the best constant
  double schedule_loss = 0.0;  ///< of the same network when it sees σ, the last ratios and the tolerance only
  double loss = 0.0;           ///< of the predictor
  double within = 0.0;         ///< share of its steps that keep the tolerance (aim: 1 − quantile)
  double within_double = 0.0;  ///< share whose step is at most twice the largest that keeps it
};

struct TrainedPredictor {
  StepPredictor predictor;
  PredictorReport report;
  bool stopped = false;
};

/// Fits by AdamW on the pinball loss (Koenker & Bassett 1978, doi:10.2307/1913643) of ln step. The result is a function
/// of the arguments. Throws UsageError for invalid options and too few trajectories, QualityError when the loss stops
/// being finite. `progress` counts steps, one of both networks at a time. `source` has what the file should say of the
/// trajectories' origin.
[[nodiscard]] TrainedPredictor train_predictor(const StepExamples& examples, PredictorInfo source,
                                               const PredictorTraining& training, const ProgressFn& progress);

/// What `training` would learn from, checked before any work: throws UsageError where a store of such trajectories
/// cannot teach the steps of the base, saying why.
[[nodiscard]] std::unique_ptr<Solver> make_base(const PredictorTraining& training, const TrajectoryConfig& config);

/// The same from a store: every trajectory that ended well.
[[nodiscard]] TrainedPredictor train_predictor(const TrajectoryStore& store, const PredictorTraining& training = {},
                                               const ProgressFn& progress = {});

}  // namespace stride
