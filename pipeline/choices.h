// What the library's functions take by name, or as an object of the caller's.
#pragma once

#include "pipeline/draw.h"
#include "pipeline/guidance_text.h"
#include "pipeline/model_card.h"
#include "pipeline/sampler.h"

#include <concepts>
#include <memory>
#include <string>
#include <vector>

namespace stride {

/// A denoiser, or a model that came with its card, whose noise schedule then counts. Refers to it: for arguments only.
/// Models of Stride's own are capturable: they may run as CUDA graphs.
class ModelChoice final {
 public:
  ModelChoice(const Denoiser& denoiser) : denoiser_(denoiser) {}
  ModelChoice(const LoadedModel& model, bool capturable = true)
      : denoiser_(*model.denoiser), card_(&model.source.card), capturable_(capturable) {}

  [[nodiscard]] const Denoiser& denoiser() const noexcept { return denoiser_; }
  [[nodiscard]] const ModelInfo& info() const noexcept { return denoiser_.info(); }
  [[nodiscard]] const ModelCard* card() const noexcept { return card_; }  ///< nullptr: none
  [[nodiscard]] bool capturable() const noexcept { return capturable_; }

 private:
  const Denoiser& denoiser_;
  const ModelCard* card_ = nullptr;
  bool capturable_ = false;
};

/// A solver: `dpmpp_2m`, `ddim:eta=0.5`, "DPM++ 2M Karras", `ddim@10,heun@5`, `plan:FILE`; a Solver; a Plan.
class SolverChoice final {
 public:
  SolverChoice(std::string name) : name_(std::move(name)) {}
  SolverChoice(const char* name) : name_(name) {}
  SolverChoice(std::shared_ptr<const Solver> solver) : solver_(std::move(solver)) {}
  template <typename Own>
  requires std::derived_from<Own, Solver> SolverChoice(std::shared_ptr<Own> solver) : solver_(std::move(solver)) {}
  SolverChoice(Plan plan) : plan_(std::make_shared<const Plan>(std::move(plan))) {}

  /// Writes solver, own_solver or own_plan of `spec`, the schedule that a name says ("… Karras"), and the policy that
  /// the solver is made for. Throws UsageError on unknown names.
  void write(SamplerSpec& spec) const;
  /// Once the policy is written too: what the name's project does to the levels of a fixed grid with a jump to 0.
  void write_levels(SamplerSpec& spec) const;
  [[nodiscard]] const std::string& name() const noexcept { return name_; }  ///< empty: an object of the caller's

 private:
  std::string name_;
  std::shared_ptr<const Solver> solver_;
  std::shared_ptr<const Plan> plan_;
};

/// A step policy: `fixed`, `pi:atol=0.05`, `predictor:FILE,tolerance=0.1`; a StepController. By default, what the
/// solver is made for.
class PolicyChoice final {
 public:
  PolicyChoice() = default;
  PolicyChoice(std::string name) : name_(std::move(name)) {}
  PolicyChoice(const char* name) : name_(name) {}
  PolicyChoice(std::shared_ptr<const StepController> policy) : policy_(std::move(policy)) {}
  template <typename Own>
  requires std::derived_from<Own, StepController> PolicyChoice(std::shared_ptr<Own> policy)
      : policy_(std::move(policy)) {}
  /// A trained predictor; `options` as behind its file's name: "tolerance=0.1".
  PolicyChoice(std::shared_ptr<const StepPredictor> predictor, const std::string& options = {});

  /// Writes policy or own_policy of `spec`, where there is a choice.
  void write(SamplerSpec& spec) const;

 private:
  std::string name_;
  std::shared_ptr<const StepController> policy_;
  std::shared_ptr<const StepPredictor> predictor_;
};

/// Seeds, one sample each: a text as parse_seeds takes it ("0-63,100"), or numbers.
class Seeds final {
 public:
  Seeds(const char* text);
  Seeds(const std::string& text);
  Seeds(std::vector<int64_t> numbers) : numbers_(std::move(numbers)) {}

  [[nodiscard]] const std::vector<int64_t>& numbers() const noexcept { return numbers_; }

 private:
  std::vector<int64_t> numbers_;
};

/// What the settings of sample, fit and evaluate have in common, for the driver. Throws UsageError on a malformed text,
/// and on conditions that are missing or not the model's (settle_conditions).
/// A model of Stride's own runs as CUDA graphs; a denoiser of the caller's may do on the host what no graph repeats.
template <typename Settings>
[[nodiscard]] DrawSettings common_draw(const Settings& settings, const ModelChoice& model, std::vector<int64_t> seeds) {
  DrawSettings draw;
  draw.seeds = std::move(seeds);
  draw.batch = settings.batch;
  draw.device = settings.device;
  draw.graphs = draw.device.is_cuda() && model.capturable();
  draw.dtype = settings.dtype;
  draw.label = settings.label;
  draw.guidance = make_guidance({settings.guidance, settings.threshold, settings.clip}, model.info().sigma_data);
  if (!settings.conditions.empty())
    draw.conditions = condition_rows(settings.conditions, "`conditions`", model.info(), draw.seeds.size());
  settle_conditions(draw, model.info(), !settings.guidance.empty());
  return draw;
}

}  // namespace stride
