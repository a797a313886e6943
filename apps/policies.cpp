#include "apps/policies.h"

#include "adaptive/pi_controller.h"
#include "framework/error.h"
#include "framework/fixed_grid.h"

#include <algorithm>
#include <fmt/format.h>

namespace stride {
namespace {

struct PolicyRequest {
  const SamplerSpec& spec;
  const TimeGrid& grid;
  const Solver& solver;
  const ModelInfo& model;
};

std::unique_ptr<const StepController> make_fixed(OptionReader& /*reader*/, const PolicyRequest& request) {
  return std::make_unique<FixedGrid>(request.grid);
}

std::unique_ptr<const StepController> make_pi(OptionReader& reader, const PolicyRequest& request) {
  const SolverTraits& traits = request.solver.traits();
  if (!traits.error_order) {
    throw UsageError(fmt::format("--policy pi needs a solver with an error estimate, and {} has none; heun has one", traits.name));
  }
  PiOptions options;
  options.rtol = reader.number("rtol", options.rtol);
  options.atol = reader.number("atol", options.atol);
  options.safety = reader.number("safety", options.safety);
  options.integral = reader.number("integral", options.integral);
  options.proportional = reader.number("proportional", options.proportional);
  options.first_ratio = reader.number("first_ratio", options.first_ratio);
  options.end = request.grid.end();
  options.final_zero = request.grid.final_zero();
  if (const std::string reason = options.invalid_reason(); !reason.empty()) throw UsageError(fmt::format("--policy pi: {}", reason));
  return std::make_unique<PiController>(options);
}

struct Policy {
  PolicyTraits traits;
  std::unique_ptr<const StepController> (*make)(OptionReader&, const PolicyRequest&);
};

const std::vector<Policy>& policies() {
  static const std::vector<Policy> all = {
      {{"fixed", "every sample follows the grid", "", ""}, make_fixed},
      {{"pi", "error control a sample: its own step, rejections counted",
        "rtol=0.05,atol=0.005,safety=0.9,integral=1,proportional=0.4,first_ratio=1.5", "Söderlind 2003, ACM TOMS 29(1) eq. 3"},
       make_pi}};
  return all;
}

}  // namespace

const std::vector<PolicyTraits>& policy_traits() {
  static const std::vector<PolicyTraits> all = [] {
    std::vector<PolicyTraits> out;
    for (const Policy& policy : policies()) out.push_back(policy.traits);
    return out;
  }();
  return all;
}

std::unique_ptr<const StepController> make_policy(const SamplerSpec& spec, const TimeGrid& grid, const Solver& solver,
                                                  const ModelInfo& model) {
  const Spec wanted = Spec::parse(spec.policy);
  std::vector<std::string> names;
  for (const Policy& policy : policies()) {
    names.push_back(policy.traits.name);
    if (policy.traits.name != wanted.name) continue;
    if (wanted.name != "fixed" && solver.traits().name == "plan") {
      throw UsageError(fmt::format("--policy {}: a plan brings its own steps; use --policy fixed", wanted.name));
    }
    OptionReader reader(wanted, "policy");
    auto controller = policy.make(reader, {spec, grid, solver, model});
    reader.done();
    return controller;
  }
  const std::string guess = nearest(wanted.name, names);
  throw UsageError(fmt::format("--policy {}: there is no such policy{}", wanted.name,
                               guess.empty() ? "; `stride list policies` shows all" : "; did you mean " + guess + "?"));
}

}  // namespace stride
