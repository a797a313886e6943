// The step policies by name.
#pragma once

#include "framework/card.h"
#include "pipeline/sampler.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// What `stride list policies` shows.
using PolicyTraits = Card;
[[nodiscard]] const std::vector<PolicyTraits>& policy_traits();
/// That of one; throws UsageError on an unknown name.
[[nodiscard]] const PolicyTraits& policy_traits(const std::string& name);

/// The controller that SamplerSpec::policy names, for a run on `grid` and `device`. Throws UsageError on unknown names
/// and options, and on a solver that the policy cannot steer.
[[nodiscard]] std::unique_ptr<const StepController> make_policy(const SamplerSpec& spec, const TimeGrid& grid,
                                                                const Solver& solver, const ModelInfo& model,
                                                                at::Device device);

}  // namespace stride
