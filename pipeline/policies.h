// The step policies by name.
#pragma once

#include "pipeline/sampler.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// What `stride list policies` shows.
struct PolicyTraits {
  std::string name, summary, options, reference;
};
[[nodiscard]] const std::vector<PolicyTraits>& policy_traits();

/// The controller that SamplerSpec::policy names, for a run on `grid` and `device`. Throws UsageError on unknown names
/// and options, and on a solver that the policy cannot steer.
[[nodiscard]] std::unique_ptr<const StepController> make_policy(const SamplerSpec& spec, const TimeGrid& grid,
                                                                const Solver& solver, const ModelInfo& model,
                                                                at::Device device);

}  // namespace stride
