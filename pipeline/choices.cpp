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
  const auto [solver, own_schedule] = resolve_sampler_name(name_);
  spec.solver = solver;
  if (!own_schedule.empty()) spec.schedule = own_schedule;
  if (is_hybrid(solver)) return;
  if (const std::string& policy = solver_traits(Spec::parse(solver).name).policy; !policy.empty()) spec.policy = policy;
}

void PolicyChoice::write(SamplerSpec& spec) const {
  spec.own_policy = policy_;
  if (!name_.empty()) spec.policy = name_;
}

Seeds::Seeds(const char* text) : Seeds(std::string(text)) {}
Seeds::Seeds(const std::string& text) : numbers_(parse_seeds(text)) {}

void check_condition(const DrawSettings& draw, const ModelInfo& model) {
  if (draw.guidance.active() && !draw.label)
    throw UsageError("`guidance` needs a condition to guide towards: give `label`");
  (void)make_condition(model, draw.label, 1, at::kCPU);
}

}  // namespace stride
