// One sampler on all seeds: what came out, and what it cost.
#pragma once

#include "evaluation/evaluation.h"
#include "evaluation/seed_values.h"

#include <functional>
#include <optional>
#include <vector>

namespace stride {

struct Measured {
  SamplerResult result;  ///< without metrics
  Tensor x;              ///< `[n, …]` in the order of the seeds
  SeedValues seeds;      ///< without errors
};

/// Draws batch by batch; `bounds` are the blocks' ends among the seeds, and a block's seconds are its share of its
/// batches'. `go_on` is asked before each batch, with the samples done; false ends with none.
[[nodiscard]] std::optional<Measured> measure_sampler(const Sampler& sampler, const Denoiser& denoiser,
                                                      const EvaluationSettings& settings,
                                                      const std::vector<int64_t>& bounds,
                                                      const std::function<bool(int64_t done)>& go_on);

/// What is known of a sampler before it runs: its names, its grid where all samples share one, its plan, and the
/// SHA-256 of its policy's file.
[[nodiscard]] SamplerResult unmeasured(const Sampler& sampler);

}  // namespace stride
