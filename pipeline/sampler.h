// A sampler by name: solver, grid, policy and term, built and checked against a model.
#pragma once

#include "framework/controller.h"
#include "framework/denoiser.h"
#include "framework/grids/noise_schedule.h"
#include "framework/grids/own_grids.h"
#include "framework/grids/time_grid.h"
#include "framework/solver.h"
#include "framework/term.h"
#include "pipeline/model_card.h"
#include "solvers/made_with.h"
#include "solvers/plan.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stride {

class StepPredictor;

inline constexpr int64_t kDefaultSteps = 18;

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
  bool allow_model_mismatch = false;           ///< a plan or predictor made for another model, class or guidance

  // Objects of the caller's in place of what `solver` and `policy` name.
  std::shared_ptr<const Solver> own_solver = {};
  std::shared_ptr<const Plan> own_plan = {};
  std::shared_ptr<const StepController> own_policy = {};
  std::shared_ptr<const OwnGrids> own_grids = {};           ///< which `schedule` may name too
  std::shared_ptr<const StepPredictor> own_predictor = {};  ///< of a `policy` predictor, whose file's name is then any
  bool operator==(const SamplerSpec&) const = default;
};

/// A file that a sampler was read from, and what it was made with.
struct MadeFile {
  std::string path;
  MadeWith made_with;
};

/// The same, built and checked against a model. Immutable.
struct Sampler {
  SamplerSpec spec;  ///< resolved: a plan's steps and final filled in
  std::shared_ptr<const Solver> solver;
  std::shared_ptr<const Solver> host_solver;  ///< the same on the CPU, whose steps can be followed (make_program)
  TimeGrid grid;
  std::shared_ptr<const StepController> controller;
  std::shared_ptr<const Term> term;
  std::optional<MadeFile> made = {};  ///< of a plan or a learned policy; none: nothing was fitted or trained
  /// What was asked for and has no effect, and levels that the network was not trained on: one sentence each.
  std::vector<std::string> warnings = {};
  [[nodiscard]] bool fixed() const { return controller->planned_steps().has_value(); }
  /// Denoiser calls per sample by the solver's claim; none for adaptive policies and solvers that make no claim.
  [[nodiscard]] std::optional<int64_t> claimed_nfe() const;
};

/// Throws UsageError on unknown names and options, on an NFE that no number of steps costs, and on a plan or explicit
/// levels that disagree with the model or with given options; InputError on a plan file that is not one.
/// `device` is where the run will be: learned policies live there.
[[nodiscard]] Sampler make_sampler(const SamplerSpec& spec, const ModelInfo& model, const ModelCard* card = nullptr,
                                   at::Device device = at::kCPU);

/// The betas behind timestep grids: the spec's, else the card's, else diffusers' linear ones.
[[nodiscard]] NoiseSchedule noise_schedule_of(const SamplerSpec& spec, const ModelCard* card);

/// N such that a run of N steps costs `nfe`; a UsageError that names the nearest possible costs if none does.
[[nodiscard]] int64_t steps_for_nfe(const Solver& solver, int64_t nfe, bool final_zero);

/// The sampler in pairs of name and value, for people.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> describe(const Sampler& sampler);

}  // namespace stride
