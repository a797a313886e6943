// Samples of a sampler, a seed each, in batches.
#pragma once

#include "datasets/store/trajectory.h"
#include "framework/models/guidance.h"
#include "framework/models/tiled_denoiser.h"
#include "framework/progress.h"
#include "framework/sample.h"
#include "pipeline/conditions/conditions.h"
#include "pipeline/conditions/label_choice.h"
#include "pipeline/graph_runs.h"
#include "pipeline/sampler.h"

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace stride {

/// What the unit normals of a run's start are multiplied by at its first level σ₀, where it starts from them alone;
/// what is added to a start's images is always σ₀ times.
enum class InitScale {
  sigma,  ///< σ₀
  vp,     ///< √(1 + σ₀²): they are the state in variance-preserving scale
  flow    ///< 1 + σ₀: they are the state in the scale of flow times
};
/// Throws UsageError on another word than sigma, vp and flow.
[[nodiscard]] InitScale parse_init_scale(const std::string& text);

/// What is the same for all samples of a run, whatever the sampler.
struct DrawSettings {
  std::vector<int64_t> seeds;  ///< one sample each: its id
  int64_t batch = 64;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;  ///< of the network; state and result are in state_dtype of it
  Guidance guidance;
  LabelChoice label;                        ///< none: the model's null condition where it takes one
  ConditionRows conditions;                 ///< other conditions, by name
  std::optional<double> embedded_guidance;  ///< the scale, of models that take it as a condition
  Tensor init;                              ///< undefined, or unit normals `[N, …]` in the order of seeds
  InitScale init_scale = InitScale::sigma;
  Tensor noise;                                  ///< undefined, or unit normals `[M, N, …]`
  std::shared_ptr<const NoiseSource> own_noise;  ///< of the steps' draws, where `noise` is undefined; none: PhiloxNoise
  Tensor start;                                  ///< undefined, or images `[N, …]`, to which the first noise is added
  Tensor mask;                 ///< undefined, or `[N, …]` in [0, 1]: where 0, the start stays as it is
  std::optional<Tiling> tile;  ///< the network sees images tile by tile
  bool exact = false;          ///< padded micro-batches of one size, so that bits do not depend on the batch
  bool graphs = false;         ///< runs on fixed grids as CUDA graphs, where the device and the model have them
  bool oom_backoff = false;    ///< halve the batch when memory runs out
  int64_t max_steps = 10000;
};

/// The same settings for some of the seeds: the rows of init, noise, start, mask and conditions go along. Throws
/// UsageError on a seed that is not there.
[[nodiscard]] DrawSettings for_seeds(const DrawSettings& settings, const std::vector<int64_t>& seeds);
/// The same for the n seeds from the `first`-th on: what a loop over batches asks for.
[[nodiscard]] DrawSettings slice_of(const DrawSettings& settings, int64_t first, int64_t n);
/// float64 `[n, …]`: unit normals of the seeds [first, first + n), on the device.
[[nodiscard]] Tensor unit_normals(const DrawSettings& settings, const ModelInfo& model, int64_t first, int64_t n);
/// The same, scaled for the grid's first σ and added to what the run starts from, in the state's dtype.
[[nodiscard]] Tensor start_points(const DrawSettings& settings, const ModelInfo& model, double sigma, int64_t first,
                                  int64_t n);

/// Whether all seeds are one batch: what is captured for it would never be run again.
[[nodiscard]] bool is_one_batch(const DrawSettings& settings);

/// Rows that `draw` works on at a time: a batch, or, where an adaptive policy runs as graphs, a pool of samples of
/// which a batch runs at once.
[[nodiscard]] int64_t rows_at_once(const Sampler& sampler, const ModelInfo& model, const DrawSettings& settings);

/// What became of the samples; rows in the order of the seeds, on the CPU, data in the state's dtype.
struct Draws {
  Tensor x;                                  ///< `[n, …]`; undefined with DrawHooks::keep false
  Tensor seeds;                              ///< int64 `[n]`
  Tensor status;                             ///< int8 `[n]`
  Tensor steps, rejected, nfe, model_evals;  ///< int64 `[n]`
  double seconds = 0;                        ///< wall time in the sampler, device synchronised; captures apart
  double capture_seconds = 0;                ///< what captures took (GraphRuns)
  int64_t batch = 0;                         ///< rows run together in the end (smaller than asked where memory ran out)
  bool stopped = false;                      ///< asked to stop: n is then the number that was finished
  std::string stepwise;  ///< why the run was not a CUDA graph; empty: it was, or one batch, or on the CPU
};

/// Who listens while samples are drawn.
struct DrawHooks {
  ProgressFn progress;  ///< in samples; false stops after dropping the chunk that was being drawn
  /// Before a chunk runs: its seeds (int64 `[b]` on the CPU). Returns the observer of that chunk, or none.
  std::function<Observer(const Tensor& seeds)> observe;
  /// After a chunk: its result in the order of its seeds, on the device.
  std::function<void(const Tensor& seeds, const RunResult& result)> chunk;
  /// After a chunk on a fixed grid: x at `points` of it, and the first evaluations of the steps that leave them.
  std::function<void(const Tensor& seeds, const TrajectoryBatch& batch)> trajectory;
  std::vector<int64_t> points;
  /// Captured runs of this sampler, denoiser and guidance, to go on with and to leave behind; none: of this call alone.
  GraphRuns* graphs = nullptr;
  bool keep = true;  ///< false: `chunk` takes the samples, and none stay in memory
};

/// Draws one sample per seed, in chunks. Throws UsageError where the sampler's file was made with another class or
/// guidance (pipeline/provenance.h).
[[nodiscard]] Draws draw(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                         const DrawHooks& hooks = {});

}  // namespace stride
