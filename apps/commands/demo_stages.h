// The stages of `stride demo`. Each leaves its result in the run folder and takes it from there when it is resumed.
#pragma once

#include "apps/cli/context.h"
#include "evaluation/evaluation.h"
#include "evaluation/report/stage_notes.h"
#include "pipeline/draw.h"
#include "pipeline/model_card.h"

#include <string>
#include <vector>

namespace stride {

/// What the demo is asked to do.
struct DemoSettings {
  std::string model;
  std::vector<int64_t> nfe = {3, 4, 5};
  std::vector<int64_t> fit_seeds;         ///< recorded; plans and the predictor are fitted to these
  std::vector<int64_t> validation_seeds;  ///< recorded; plans are chosen on these
  DrawSettings draw;                      ///< of the evaluation: its seeds are in neither
  SamplerSpec teacher;
  std::string teacher_text;  ///< as it was asked for
  int64_t iterations = 8;    ///< of each plan's fit

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// Everything that the stages share.
struct DemoRun {
  Context& context;
  RunDir& folder;
  const LoadedModel& model;
  const DemoSettings& settings;
  StageNotes stages;  ///< in the folder, from process to process
};

/// Draws a grid of images with the teacher and saves it; returns false when asked to stop.
[[nodiscard]] bool demo_sample(DemoRun& run);
/// Records the teacher's trajectories of the fit and validation seeds.
[[nodiscard]] bool demo_record(DemoRun& run);
/// Fits a plan for each NFE to the recorded end points.
[[nodiscard]] bool demo_fit(DemoRun& run);
/// Trains a step predictor on the recorded trajectories.
[[nodiscard]] bool demo_predictor(DemoRun& run);
/// Evaluates plans, predictor, error control and the classic samplers on fresh seeds; the result is in the folder.
[[nodiscard]] bool demo_evaluate(DemoRun& run);

}  // namespace stride
