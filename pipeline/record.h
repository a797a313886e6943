// Trajectories of a denoiser in a store, in one call.
#pragma once

#include "datasets/store/trajectory_store.h"
#include "pipeline/sample.h"

#include <string>

namespace stride {

/// What of the trajectories is kept: options of `stride record`, with the same names, values and defaults.
struct RecordSettings {
  std::string save_at = "all";          ///< points of the grid, counted from 0, or from −1 at the end: "0,4,-1"
  bool features_only = false;           ///< no states: only what train_predictor needs of them
  std::string store_dtype = "float32";  ///< or "float16"
  int64_t shard_rows = 4096;            ///< trajectories a file
};

/// Samples each seed and keeps the path, in the folder `store`: it is made, or gone on with, and then opened. Seeds
/// that are there already are not drawn again. What was written stays where `progress` stops the work. Throws as
/// sample; UsageError where the folder holds trajectories of another kind, and under a policy that chooses each
/// sample's own steps; ResourceError where the disk is full.
[[nodiscard]] TrajectoryStore record(const ModelChoice& model, const SolverChoice& solver,
                                     const SampleSettings& settings, const Seeds& seeds, const std::string& store,
                                     const RecordSettings& keep = {});

}  // namespace stride
