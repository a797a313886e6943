#include "apps/policies.h"

#include "adaptive/pi_controller.h"
#include "adaptive/pid_controller.h"
#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "neural/predictor_controller.h"

#include <fmt/format.h>
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

// Numbers by name: where each goes, and its default.
void read_numbers(OptionReader& reader, std::initializer_list<std::pair<const char*, double*>> numbers) {
  for (const auto& [name, value] : numbers) *value = reader.number(name, *value);
}

// What every adaptive policy has, checked.
template <typename Options, typename... Known>
void close_options(Options& options, const PolicyRequest& request, const char* policy, const Known&... known) {
  options.end = request.grid.end();
  options.final_zero = request.grid.final_zero();
  if (const std::string reason = options.invalid_reason(known...); !reason.empty())
    throw UsageError(fmt::format("--policy {}: {}", policy, reason));
}

std::unique_ptr<const StepController> make_fixed(OptionReader& /*reader*/, const PolicyRequest& request) {
  return std::make_unique<FixedGrid>(request.grid);
}

void require_estimate(const char* policy, const PolicyRequest& request) {
  const SolverTraits& traits = request.solver.traits();
  if (!traits.error_order) {
    throw UsageError(
        fmt::format("--policy {} needs a solver with an error estimate, and {} has none; ralston and heun have", policy,
                    traits.name));
  }
}

std::unique_ptr<const StepController> make_pi(OptionReader& reader, const PolicyRequest& request) {
  require_estimate("pi", request);
  PiOptions options;
  read_numbers(reader, {{"rtol", &options.rtol},
                        {"atol", &options.atol},
                        {"safety", &options.safety},
                        {"integral", &options.integral},
                        {"proportional", &options.proportional},
                        {"first_ratio", &options.first_ratio}});
  close_options(options, request, "pi");
  return std::make_unique<PiController>(options);
}

std::unique_ptr<const StepController> make_pid(OptionReader& reader, const PolicyRequest& request) {
  require_estimate("pid", request);
  PidOptions options;
  options.rtol = reader.number("rtol", options.rtol);
  options.atol = reader.number("atol", options.atol);
  options.pcoeff = reader.number("pcoeff", options.pcoeff);
  options.icoeff = reader.number("icoeff", options.icoeff);
  options.dcoeff = reader.number("dcoeff", options.dcoeff);
  options.accept_safety = reader.number("accept_safety", options.accept_safety);
  options.h_init = reader.number("h_init", options.h_init);
  options.end = request.grid.end();
  options.final_zero = request.grid.final_zero();
  if (const std::string reason = options.invalid_reason(); !reason.empty())
    throw UsageError(fmt::format("--policy pid: {}", reason));
  return std::make_unique<PidController>(options);
}

std::unique_ptr<const StepController> make_predictor(OptionReader& reader, const PolicyRequest& request) {
  const std::string path = reader.argument("it needs its file: predictor:FILE.safetensors");
  const StepPredictor predictor = StepPredictor::load(path);
  const PredictorInfo& info = predictor.info();
  if (info.base != request.solver.traits().name) {
    throw UsageError(fmt::format("--policy predictor: {} knows the steps of {}, not of {}; add --solver {}", path,
                                 info.base, request.solver.traits().name, info.base));
  }
  if (info.model_sha256 != request.model.sha256 && !request.spec.allow_model_mismatch) {
    throw UsageError(
        fmt::format("--policy predictor: {} was trained on another model ({:.12}…, this one is {:.12}…); "
                    "--allow-model-mismatch runs it all the same",
                    path, info.model_sha256, request.model.sha256));
  }
  PredictorOptions options;
  read_numbers(reader, {{"tolerance", &options.tolerance},
                        {"safety", &options.safety},
                        {"min_log_step", &options.min_log_step},
                        {"max_log_step", &options.max_log_step}});
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
      {{"pi", "error control a sample: its own step, rejections counted",
        "rtol=0,atol=0.05,safety=0.9,integral=1,proportional=0.4,first_ratio=1.5",
        "Gustafsson 1991, ACM TOMS 17(4); Söderlind 2003, ACM TOMS 29(1)"},
       make_pi},
      {{"pid", "error control a sample as dpm_adaptive has it: a smooth limiter, k-diffusion's defaults",
        "rtol=0.05,atol=0.0078,pcoeff=0,icoeff=1,dcoeff=0,accept_safety=0.81,h_init=0.05",
        "Söderlind 2003, ACM TOMS 29(1); Söderlind & Wang 2006, J. Comput. Appl. Math. 185; k-diffusion"},
       make_pid},
      {{"predictor", "a small network, trained on recorded trajectories, chooses each step; no rejections",
        "FILE,tolerance=0.05,safety=1,min_log_step=0.02,max_log_step=3", "made by stride train-predictor"},
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
      throw UsageError(fmt::format("--policy {}: a plan brings its own steps; use --policy fixed", wanted.name));
    }
    OptionReader reader(wanted, "policy");
    auto controller = policy.make(reader, {spec, grid, solver, model, device});
    reader.done();
    return controller;
  }
  const std::string guess = nearest(wanted.name, names);
  throw UsageError(fmt::format("--policy {}: there is no such policy{}", wanted.name,
                               guess.empty() ? "; `stride list policies` shows all" : "; did you mean " + guess + "?"));
}

}  // namespace stride
