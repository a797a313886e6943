#include "pipeline/policies.h"

#include "adaptive/control/error_control.h"
#include "adaptive/control/pi_controller.h"
#include "adaptive/control/pid_controller.h"
#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "neural/predictor/predictor_controller.h"
#include "solvers/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>

namespace stride {
namespace {

struct PolicyRequest {
  const SamplerSpec& spec;
  const TimeGrid& grid;
  const Solver& solver;
  const ModelInfo& model;
  at::Device device;
};

// The numbers of some options by name, in the order in which they are listed.
using Numbers = std::vector<std::pair<const char*, double*>>;

Numbers numbers(PiOptions& options) {
  return {{"rtol", &options.rtol},
          {"atol", &options.atol},
          {"safety", &options.safety},
          {"integral", &options.integral},
          {"proportional", &options.proportional},
          {"first_ratio", &options.first_ratio}};
}

Numbers numbers(PidOptions& options) {
  return {{"rtol", &options.rtol},     {"atol", &options.atol},     {"pcoeff", &options.pcoeff},
          {"icoeff", &options.icoeff}, {"dcoeff", &options.dcoeff}, {"accept_safety", &options.accept_safety},
          {"h_init", &options.h_init}};
}

Numbers numbers(PredictorOptions& options) {
  return {{"tolerance", &options.tolerance},
          {"safety", &options.safety},
          {"min_log_step", &options.min_log_step},
          {"max_log_step", &options.max_log_step}};
}

void read_numbers(OptionReader& reader, const Numbers& numbers) {
  for (const auto& [name, value] : numbers) *value = reader.number(name, *value);
}

// "rtol=0,atol=0.05": what holds where nothing is said.
template <typename Options>
std::string defaults() {
  Options options;
  std::vector<std::string> out;
  for (const auto& [name, value] : numbers(options)) out.push_back(fmt::format("{}={}", name, *value));
  return fmt::format("{}", fmt::join(out, ","));
}

// What every adaptive policy has, checked.
template <typename Options, typename... Known>
void close_options(Options& options, const PolicyRequest& request, const char* policy, const Known&... known) {
  options.end = request.grid.end();
  options.final_zero = request.grid.final_zero();
  if (const std::string reason = options.invalid_reason(known...); !reason.empty())
    throw UsageError(fmt::format("`policy` {}: {}", policy, reason));
}

std::unique_ptr<const StepController> make_fixed(OptionReader& /*reader*/, const PolicyRequest& request) {
  return std::make_unique<FixedGrid>(request.grid);
}

template <typename Controller, typename Options>
std::unique_ptr<const StepController> make_error_control(OptionReader& reader, const PolicyRequest& request,
                                                         const char* policy) {
  if (!request.solver.traits().error_order) throw no_estimate(request.solver.traits(), policy);
  Options options;
  read_numbers(reader, numbers(options));
  close_options(options, request, policy);
  return std::make_unique<Controller>(options);
}

std::unique_ptr<const StepController> make_pi(OptionReader& reader, const PolicyRequest& request) {
  return make_error_control<PiController, PiOptions>(reader, request, "pi");
}

std::unique_ptr<const StepController> make_pid(OptionReader& reader, const PolicyRequest& request) {
  return make_error_control<PidController, PidOptions>(reader, request, "pid");
}

std::unique_ptr<const StepController> make_predictor(OptionReader& reader, const PolicyRequest& request) {
  const std::string path = reader.argument("it needs its file: predictor:FILE.safetensors");
  const StepPredictor predictor = StepPredictor::load(path);
  const PredictorInfo& info = predictor.info();
  if (const std::string solver = canonical_solver(request.spec.solver); info.base != solver) {
    throw UsageError(fmt::format("`policy` predictor: {} knows the steps of {}, not of {}; add `solver` {}", path,
                                 info.base, solver, info.base));
  }
  if (info.model_sha256 != request.model.sha256 && !request.spec.allow_model_mismatch) {
    throw UsageError(
        fmt::format("`policy` predictor: {} was trained on another model ({:.12}…, this one is {:.12}…); "
                    "`allow_model_mismatch` runs it all the same",
                    path, info.model_sha256, request.model.sha256));
  }
  PredictorOptions options;
  read_numbers(reader, numbers(options));
  close_options(options, request, "predictor", info);
  return std::make_unique<PredictorController>(std::make_shared<StepPredictor>(predictor.to(request.device)), options);
}

struct Policy {
  PolicyTraits traits;
  std::unique_ptr<const StepController> (*make)(OptionReader&, const PolicyRequest&);
};

const std::vector<Policy>& policies() {
  static const std::vector<Policy> all = {
      {{"fixed", "every sample follows the grid", "", ""}, make_fixed},
      {{"pi", "error control a sample: its own step, rejections counted", defaults<PiOptions>(),
        "Gustafsson 1991, ACM TOMS 17(4); Söderlind 2003, ACM TOMS 29(1)"},
       make_pi},
      {{"pid", "error control a sample as dpm_adaptive has it: a smooth limiter, k-diffusion's defaults",
        defaults<PidOptions>(),
        "Söderlind 2003, ACM TOMS 29(1); Söderlind & Wang 2006, J. Comput. Appl. Math. 185; k-diffusion"},
       make_pid},
      {{"predictor", "a small network, trained on recorded trajectories, chooses each step; no rejections",
        "FILE," + defaults<PredictorOptions>(), "made by stride train-predictor"},
       make_predictor}};
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
                                                  const ModelInfo& model, at::Device device) {
  const Spec wanted = Spec::parse(spec.policy);
  std::vector<std::string> names;
  for (const Policy& policy : policies()) {
    names.push_back(policy.traits.name);
    if (policy.traits.name != wanted.name) continue;
    if (wanted.name != "fixed" && solver.traits().name == "plan") {
      throw UsageError(fmt::format("`policy` {}: a plan brings its own steps; use `policy` fixed", wanted.name));
    }
    OptionReader reader(wanted, "policy");
    auto controller = policy.make(reader, {spec, grid, solver, model, device});
    reader.done();
    return controller;
  }
  const std::string guess = nearest(wanted.name, names);
  throw UsageError(fmt::format("`policy` {}: there is no such policy{}", wanted.name,
                               guess.empty() ? "; `stride list policies` shows all" : "; did you mean " + guess + "?"));
}

}  // namespace stride
