// Samples of a denoiser, in one call.
#pragma once

#include "pipeline/choices.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// How to sample: the fields are the options of `stride sample`, by their names (docs/library.md
/// says which few differ).
struct SampleSettings {
  std::optional<int64_t> steps = {};  ///< intervals of the grid, the last one included; by default 18
  std::optional<int64_t> nfe = {};    ///< in place of steps: as many as cost that number of evaluations
  std::vector<double> sigmas = {};    ///< in place of both: the grid itself
  std::string schedule = "karras";
  std::string final = "zero";  ///< the last step jumps to 0; `sigma_min`: there is no jump
  std::optional<double> sigma_min = {}, sigma_max = {};
  std::string noise_schedule = {};  ///< behind timestep grids; by default the card's, else diffusers' linear one
  PolicyChoice policy = {};
  std::string term = "ode";

  LabelChoice label = {};                         ///< the class, where the model takes one: 3, "0-9", "random"
  std::map<std::string, Tensor> conditions = {};  ///< by name, and as negative.NAME: for all seeds, or a row for each
  std::string guidance = {};                      ///< "2", "2:interval=0.2-5"
  std::string threshold = {};
  bool clip = false;

  Tensor init = {}, noise = {};                       ///< in place of drawn normals: see DrawSettings
  std::shared_ptr<const NoiseSource> own_noise = {};  ///< of the steps' draws, in place of PhiloxNoise
  std::shared_ptr<const OwnGrids> own_grids = {};     ///< the caller's, which `schedule` may name too
  Tensor start = {}, mask = {};                       ///< images to begin from, and what of them is redrawn
  std::optional<double> strength = {};                ///< how much of the grid a start runs; by default all of it
  std::string init_scale = "sigma";                   ///< or "vp", "flow": draw.h
  std::string tile = {};              ///< "4x4:overlap=8": images tile by tile (framework/models/tiled_denoiser.h)
  int64_t batch = 64;                 ///< samples that run together
  at::Device device = at::kCPU;       ///< where the denoiser is
  at::ScalarType dtype = at::kFloat;  ///< of the network; at 16 bits the rest is float32; times are float64
  bool exact = false;                 ///< the same bits whatever the batch
  bool allow_model_mismatch = false;  ///< run a plan or predictor that was made otherwise
  ProgressFn progress = {};           ///< in samples
};

/// What became of the samples: see Draws for x, seeds, status, nfe and the other tensors, one row per sample.
struct SampleResult : Draws {
  Tensor sigmas;  ///< float64 `[steps + 1]`; undefined under a policy that chooses each sample's own
  std::vector<std::string> warnings;  ///< what a reader should know, a sentence each (pipeline/provenance.h)
};

/// One sample for each seed. Throws UsageError as make_sampler does, and on settings that do not go together.
[[nodiscard]] SampleResult sample(const ModelChoice& model, const SolverChoice& solver,
                                  const SampleSettings& settings = {}, const Seeds& seeds = "0-63");

/// The parts of it: the sampler that is built and checked, and what all samples have in common.
[[nodiscard]] Sampler make_sampler(const ModelChoice& model, const SolverChoice& solver,
                                   const SampleSettings& settings);
[[nodiscard]] DrawSettings draw_settings(const ModelChoice& model, const SampleSettings& settings, const Seeds& seeds);

}  // namespace stride
