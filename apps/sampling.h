// From the sampling options of a command to samples. Reused by sample, record, fit, evaluate and demo.
#pragma once

#include "apps/context.h"
#include "apps/model_card.h"
#include "framework/grids/time_grid.h"
#include "framework/progress.h"
#include "framework/sample.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// Which of the sampling options a command takes, and their defaults.
struct SamplingTable {
  bool several = false;         ///< --solver and --schedule may be repeated
  bool grid = true;             ///< --steps --nfe --final --schedule --sigmas --noise-schedule --sigma-min --sigma-max
  bool policy = true;           ///< --policy
  bool condition = true;        ///< --class --guidance --clip --threshold
  bool starts = true;           ///< --init --init-scale --noise
  bool refine = false;          ///< --start --strength --mask
  std::string solver = "heun";  ///< default of --solver; empty: the command has no --solver
};
inline constexpr int64_t kDefaultSteps = 18;
/// --model, --class, --guidance and what `wanted` names. Section "sampling" of configurations.
[[nodiscard]] OptionTable sampling_options(const SamplingTable& wanted = {});

/// One sampler in words, as results and reports name it.
struct SamplerSpec {
  std::string solver = "heun";      ///< or a hybrid: "ddim@10,heun@5"
  std::string schedule = "karras";  ///< of the grid; a plan brings its own
  std::string policy = "fixed";
  std::string term = "ode";  ///< "ode" or "sde:eta=…"
  Final final = Final::zero;
  std::optional<int64_t> steps;                ///< intervals of the grid; at most one of steps and nfe
  std::optional<int64_t> nfe;                  ///< evaluations wanted
  std::vector<double> sigmas;                  ///< an explicit grid; schedule, steps and final are then its own
  std::optional<double> sigma_min, sigma_max;  ///< none: the model's
  std::string noise_schedule;                  ///< none: the model's, else diffusers' linear one
  double strength = 1.0;                       ///< below 1: the end of the grid alone, from an image
  bool allow_model_mismatch = false;           ///< a plan or predictor made for another model
};

/// The same, built and checked against a model. Immutable; move-only.
struct Sampler {
  SamplerSpec spec;  ///< resolved: a plan's steps and final filled in
  std::unique_ptr<const Solver> solver;
  TimeGrid grid;
  std::unique_ptr<const StepController> controller;
  std::unique_ptr<const Term> term;
  [[nodiscard]] bool fixed() const { return controller->planned_steps().has_value(); }
  /// Denoiser calls a sample by the solver's claim; none for adaptive policies.
  [[nodiscard]] std::optional<int64_t> claimed_nfe() const;
};

/// Throws UsageError on unknown names and options, on an NFE that no number of steps costs, and on a plan
/// that disagrees with the model or with given options; InputError on a plan file that is not one.
/// `device` is where the run will be: learned policies live there.
[[nodiscard]] Sampler make_sampler(const SamplerSpec& spec, const ModelInfo& model, const ModelCard* card = nullptr,
                                   at::Device device = at::kCPU);

/// The betas behind timestep grids: the spec's, else the card's, else diffusers' linear ones.
[[nodiscard]] NoiseSchedule noise_schedule_of(const SamplerSpec& spec, const ModelCard* card);

/// N such that a run of N steps costs `nfe`; a UsageError that names the nearest possible costs if none does.
[[nodiscard]] int64_t steps_for_nfe(const Solver& solver, int64_t nfe, bool final_zero);

/// The spec that the options name; several with SamplingTable::several (every solver under every schedule).
[[nodiscard]] std::vector<SamplerSpec> sampler_specs(const OptionValues& options);

/// What is the same for all samples of a run, whatever the sampler.
struct DrawSettings {
  std::vector<int64_t> seeds;  ///< one sample each: its id
  int64_t batch = 64;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  Guidance guidance;
  std::optional<int64_t> label;   ///< --class; none: the model's null condition where it takes one
  Tensor init;                    ///< undefined, or unit normals `[N, …]` in the order of seeds
  bool init_scale_vp = false;     ///< scale by √(1 + σ₀²) in place of σ₀
  Tensor noise;                   ///< undefined, or unit normals `[M, N, …]`
  Tensor start;                   ///< undefined, or images `[N, …]`, to which the first noise is added
  Tensor mask;                    ///< undefined, or `[N, …]` in [0, 1]: where 0, the start stays as it is
  std::vector<InputFile> inputs;  ///< the files of the four, with their hashes
  bool exact = false;             ///< --numerics exact: padded micro-batches of one size
  bool oom_backoff = false;       ///< --oom backoff: halve the batch when memory runs out
  int64_t max_steps = 10000;
};

/// Reads the options of `sampling_options` and the common ones. Opens --init, --noise, --start and --mask.
[[nodiscard]] DrawSettings draw_settings(const Context& context, const ModelInfo& model);
/// Notes the model and the files of the settings for manifest.json. Throws InputError where --resume finds one changed.
void note_inputs(Context& context, const LoadedModel& model, const DrawSettings& settings);
/// The same settings for some of the seeds: --init, --noise, --start and --mask rows go along. Throws UsageError on a
/// seed that is not there.
[[nodiscard]] DrawSettings for_seeds(const DrawSettings& settings, const std::vector<int64_t>& seeds);
/// The condition of `n` rows: the label in every row, or "none" where the model knows that.
[[nodiscard]] BatchState make_condition(const ModelInfo& model, std::optional<int64_t> label, int64_t n,
                                        at::Device device);
/// float64 `[n, …]`: unit normals of the seeds [first, first + n), on the device.
[[nodiscard]] Tensor unit_normals(const DrawSettings& settings, const ModelInfo& model, int64_t first, int64_t n);
/// The same, scaled for the grid's first σ and added to what the run starts from, in the run's dtype.
[[nodiscard]] Tensor start_points(const DrawSettings& settings, const ModelInfo& model, double sigma, int64_t first,
                                  int64_t n);

/// What became of the samples; rows in the order of the seeds, on the CPU, data in the run's dtype.
struct Draws {
  Tensor x;                                  ///< `[n, …]`
  Tensor seeds;                              ///< int64 `[n]`
  Tensor status;                             ///< int8 `[n]`
  Tensor steps, rejected, nfe, model_evals;  ///< int64 `[n]`
  double seconds = 0;                        ///< wall time in the sampler, device synchronised
  int64_t batch = 0;                         ///< rows run together in the end (smaller than asked after --oom backoff)
  bool stopped = false;                      ///< asked to stop: n is then the number that was finished
};

/// Who listens while samples are drawn.
struct DrawHooks {
  ProgressFn progress;  ///< in samples; false stops after dropping the chunk that was being drawn
  /// Before a chunk runs: its seeds (int64 `[b]` on the CPU). Returns the observer of that chunk, or none.
  std::function<Observer(const Tensor& seeds)> observe;
  /// After a chunk: its result in the order of its seeds, on the device.
  std::function<void(const Tensor& seeds, const RunResult& result)> chunk;
};

/// Draws a sample a seed, in chunks.
[[nodiscard]] Draws draw(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                         const DrawHooks& hooks = {});

/// The sampler as --dry-run shows it.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> describe(const Sampler& sampler);

}  // namespace stride
