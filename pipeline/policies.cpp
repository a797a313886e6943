#include "pipeline/policies.h"

#include "adaptive/control/error_control.h"
#include "adaptive/control/pi_controller.h"
#include "adaptive/control/pid_controller.h"
#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "framework/named.h"
#include "neural/predictor/predictor_controller.h"
#include "solvers/names.h"

#include <fmt/format.h>

#include <functional>

namespace stride {
namespace {

struct PolicyRequest {
  const SamplerSpec& spec;
  const TimeGrid& grid;
  const Solver& solver;
  const ModelInfo& model;
  at::Device device;
};

Options<PiOptions> pi_options() {
  using Read = PiOptions;
  return options<Read>(
      number("rtol", &Read::rtol, at_least(0), "tolerance, as a share of the state"),
      number("atol", &Read::atol, at_least(0), "tolerance, in the data's scale"),
      number("safety", &Read::safety, above(0).below(1), "factor on the step that the error allows"),
      number("integral", &Read::integral, above(0), "exponent of the error"),
      number("proportional", &Read::proportional, at_least(0), "exponent of the last accepted error"),
      number("first_ratio", &Read::first_ratio, above(1), "from one noise level to the next in the first step"));
}

Options<PidOptions> pid_options() {
  using Read = PidOptions;
  return options<Read>(number("rtol", &Read::rtol, at_least(0), "tolerance, as a share of the state"),
                       number("atol", &Read::atol, above(0), "tolerance, in the data's scale"),
                       number("pcoeff", &Read::pcoeff, any_number(), "weight of the error's change"),
                       number("icoeff", &Read::icoeff, any_number(), "weight of the error"),
                       number("dcoeff", &Read::dcoeff, any_number(), "weight of the change of that change"),
                       number("accept_safety", &Read::accept_safety, above(0).below(1),
                              "a step is kept if the next may have this share"),
                       number("h_init", &Read::h_init, above(0), "the first step, in ln sigma"));
}

struct PredictorRequest : PredictorOptions {
  std::string path;
};

Options<PredictorRequest> predictor_options() {
  using Read = PredictorRequest;
  return options<Read>(argument("FILE", &Read::path, "the file that train-predictor made"),
                       number("tolerance", &Read::tolerance, above(0), "of the local error, in the data's scale"),
                       number("safety", &Read::safety, above(0), "factor on the predicted step"),
                       number("min_log_step", &Read::min_log_step, above(0), "the smallest step, in ln sigma"),
                       number("max_log_step", &Read::max_log_step, above(0), "the largest step, in ln sigma"));
}

// What every adaptive policy has, checked.
template <typename Options, typename... Known>
void close_options(Options& options, const PolicyRequest& request, const char* policy, const Known&... known) {
  options.end = request.grid.end();
  options.final_zero = request.grid.final_zero();
  if (const std::string reason = options.invalid_reason(known...); !reason.empty())
    throw UsageError(fmt::format("`policy` {}: {}", policy, reason));
}

template <typename Controller, typename Options>
std::unique_ptr<const StepController> make_error_control(Options options, const PolicyRequest& request,
                                                         const char* policy) {
  if (!request.solver.traits().error_order) throw no_estimate(request.solver.traits(), policy);
  close_options(options, request, policy);
  return std::make_unique<Controller>(options);
}

std::unique_ptr<const StepController> make_predictor(const PredictorRequest& read, const PolicyRequest& request) {
  const std::string& path = read.path;
  const StepPredictor predictor = request.spec.own_predictor ? *request.spec.own_predictor : StepPredictor::load(path);
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
  PredictorOptions options = static_cast<const PredictorOptions&>(read);
  close_options(options, request, "predictor", info);
  return std::make_unique<PredictorController>(std::make_shared<StepPredictor>(predictor.to(request.device)), options);
}

using Policy = Named<Card, std::function<std::unique_ptr<const StepController>(const Spec&, const PolicyRequest&)>>;

const std::vector<Policy>& policies() {
  static const std::vector<Policy> all = {
      entry_of<Policy>(
          "policy", Card{.name = "fixed", .summary = "every sample follows the grid"}, options<NoOptions>(),
          [](const NoOptions&, const PolicyRequest& request) { return std::make_unique<FixedGrid>(request.grid); }),
      entry_of<Policy>("policy",
                       Card{.name = "pi",
                            .summary = "error control per sample: its own step, rejections counted",
                            .reference = "Gustafsson 1991, ACM TOMS 17(4); Söderlind 2003, ACM TOMS 29(1)"},
                       pi_options(),
                       [](const PiOptions& read, const PolicyRequest& request) {
                         return make_error_control<PiController>(read, request, "pi");
                       }),
      entry_of<Policy>(
          "policy",
          Card{.name = "pid",
               .summary = "error control per sample as dpm_adaptive has it: a smooth limiter, k-diffusion's defaults",
               .reference = "Söderlind 2003, ACM TOMS 29(1); Söderlind & Wang 2006, J. Comput. Appl. Math. 185; "
                            "k-diffusion"},
          pid_options(),
          [](const PidOptions& read, const PolicyRequest& request) {
            return make_error_control<PidController>(read, request, "pid");
          }),
      entry_of<Policy>(
          "policy",
          Card{.name = "predictor",
               .summary = "a small network, trained on recorded trajectories, chooses each step; no rejections",
               .reference = "made by stride train-predictor"},
          predictor_options(), make_predictor)};
  return all;
}

}  // namespace

const std::vector<PolicyTraits>& policy_traits() {
  static const std::vector<PolicyTraits> all = cards_of(policies());
  return all;
}

const PolicyTraits& policy_traits(const std::string& name) { return named("policy", name, policies()).card; }

std::unique_ptr<const StepController> make_policy(const SamplerSpec& spec, const TimeGrid& grid, const Solver& solver,
                                                  const ModelInfo& model, at::Device device) {
  const Spec wanted = Spec::parse(spec.policy);
  const Policy& policy = named("policy", wanted.name, policies());
  if (wanted.name != "fixed" && solver.traits().name == "plan")
    throw UsageError(fmt::format("`policy` {}: a plan brings its own steps; use `policy` fixed", wanted.name));
  return policy.value(wanted, {spec, grid, solver, model, device});
}

}  // namespace stride
