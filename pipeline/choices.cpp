#include "pipeline/choices.h"

#include "framework/error.h"
#include "pipeline/seeds.h"
#include "solvers/hybrid.h"
#include "solvers/names.h"
#include "solvers/registry.h"

#include <fmt/format.h>

namespace stride {

void SolverChoice::write(SamplerSpec& spec) const {
  spec.own_solver = solver_;
  spec.own_plan = plan_;
  if (solver_ || plan_) {
    if (solver_ && !solver_->traits().policy.empty()) spec.policy = solver_->traits().policy;
    return;
  }
  const SamplerName found = resolve_sampler_name(name_);
  spec.solver = found.solver;
  if (!found.schedule.empty()) spec.schedule = found.schedule;
  if (is_hybrid(found.solver)) return;
  const std::string& policy = solver_traits(Spec::parse(found.solver).name).policy;
  if (!policy.empty()) spec.policy = policy;
}

void SolverChoice::write_levels(SamplerSpec& spec) const {
  const bool levels = spec.final == Final::zero && spec.sigmas.empty() && spec.policy == "fixed" && !spec.own_policy;
  if (levels && !name_.empty()) spec.schedule = levels_of_name(resolve_sampler_name(name_), spec.schedule);
}

PolicyChoice::PolicyChoice(std::shared_ptr<const StepPredictor> predictor, const std::string& options)
    : name_(options.empty() ? "predictor:own" : "predictor:own," + options), predictor_(std::move(predictor)) {}

void PolicyChoice::write(SamplerSpec& spec) const {
  spec.own_policy = policy_;
  spec.own_predictor = predictor_;
  if (!name_.empty()) spec.policy = name_;
}

Seeds::Seeds(const char* text) : Seeds(std::string(text)) {}
Seeds::Seeds(const std::string& text) : numbers_(parse_seeds(text)) {}

}  // namespace stride
