#include "pipeline/sampler.h"

#include "framework/error.h"
#include "framework/models/refine.h"
#include "framework/named.h"
#include "neural/predictor/predictor_controller.h"
#include "pipeline/grid_warnings.h"
#include "pipeline/policies.h"
#include "solvers/hybrid.h"
#include "solvers/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <cmath>

namespace stride {
namespace {

constexpr int64_t kMostNfe = 1'000'000;

std::unique_ptr<const Term> make_term(const std::string& text) {
  struct SdeTerm {
    double eta = 1.0;
  };
  using Row = Named<Card, std::function<std::unique_ptr<const Term>(const Spec&)>>;
  const std::vector<Row> rows{
      entry_of<Row>("term", Card{.name = "ode"}, options<NoOptions>(),
                    [](const NoOptions&) { return std::make_unique<ProbabilityFlow>(); }),
      entry_of<Row>("term", Card{.name = "sde"},
                    options<SdeTerm>(number("eta", &SdeTerm::eta, at_least(0), "how much noise goes in")),
                    [](const SdeTerm& read) { return std::make_unique<ReverseSde>(read.eta); })};
  const Spec spec = Spec::parse(text);
  return named("term", spec.name, rows).value(spec);
}

// Levels that are given must not be asked for differently. `what` brings them.
void require_agreement(const SamplerSpec& spec, const TimeGrid& grid, const std::string& what) {
  const auto refuse = [&](const char* option, const std::string& asked, const std::string& has) {
    throw UsageError(
        fmt::format("`{}` {}: {} brings its own levels, {}; leave `{}` out", option, asked, what, has, option));
  };
  const auto same = [](double a, double b) { return std::abs(a - b) <= 1e-9 * std::abs(b); };
  if (spec.sigma_max && !same(*spec.sigma_max, grid.start()))
    refuse("sigma_max", fmt::format("{}", *spec.sigma_max), fmt::format("and starts at {:.6g}", grid.start()));
  if (spec.sigma_min && !same(*spec.sigma_min, grid.end()))
    refuse("sigma_min", fmt::format("{}", *spec.sigma_min),
           fmt::format("of which {:.6g} is the smallest above 0", grid.end()));
}

// What a plan brings itself must not be asked for differently. `name` is its file, or what it is called.
TimeGrid plan_grid(SamplerSpec& spec, const Plan& plan, const std::string& name, const ModelInfo& model,
                   std::optional<MadeFile>& made) {
  const auto disagrees = [&](const std::optional<int64_t>& asked) { return asked && *asked != plan.nfe(); };
  if (disagrees(spec.nfe) || disagrees(spec.steps) || !spec.sigmas.empty()) {
    throw UsageError(fmt::format(
        "{} is a plan of {} steps and brings its own grid: leave `steps`, `nfe` and `sigmas` out", name, plan.nfe()));
  }
  if (!plan.model_sha256.empty() && plan.model_sha256 != model.sha256 && !spec.allow_model_mismatch) {
    throw UsageError(
        fmt::format("{} was fitted to another model ({:.12}…, this one is {:.12}…); `allow_model_mismatch` runs it "
                    "all the same",
                    name, plan.model_sha256, model.sha256));
  }
  TimeGrid grid(plan.sigmas);
  require_agreement(spec, grid, name);
  if (!spec.noise_schedule.empty())
    throw UsageError(fmt::format("`noise_schedule` {}: {} brings its own levels; leave `noise_schedule` out",
                                 spec.noise_schedule, name));
  spec.schedule = "plan";
  spec.nfe.reset();
  made = {name, plan.made_with};
  return grid;
}

// All of a request but its number of steps.
GridRequest grid_request(const SamplerSpec& spec, const ModelInfo& model, const NoiseSchedule& schedule) {
  GridRequest request;
  request.final = spec.final;
  request.sigma_min = spec.sigma_min.value_or(model.sigma_min);
  request.sigma_max = spec.sigma_max.value_or(model.sigma_max);
  request.noise_schedule = &schedule;
  if (!(request.sigma_min > 0.0) || !(request.sigma_min < request.sigma_max) || !std::isfinite(request.sigma_max)) {
    throw UsageError(
        fmt::format("the noise levels must be positive and `sigma_min` below `sigma_max`; they are {} and {}",
                    request.sigma_min, request.sigma_max));
  }
  return request;
}

// The grid that is asked for; flow times whose shift depends on the image's size get the model's, in patches of 2 × 2
// as diffusers' pipelines count them.
Spec grid_of(const SamplerSpec& spec, const ModelInfo& model) {
  Spec out = Spec::parse(spec.schedule);
  if (out.options.contains("image") && !out.options.contains("seq_len") && model.shape.size() == 3)
    out.options["seq_len"] = fmt::format("{}", (model.shape[1] / 2) * (model.shape[2] / 2));
  return out;
}

TimeGrid given_levels(const SamplerSpec& spec) {
  TimeGrid grid(spec.sigmas);
  require_agreement(spec, grid, "`sigmas`");
  return grid;
}

TimeGrid ordinary_grid(const SamplerSpec& spec, const Solver& solver, const ModelInfo& model,
                       const NoiseSchedule& schedule) {
  if (!spec.sigmas.empty()) return given_levels(spec);
  GridRequest request = grid_request(spec, model, schedule);
  request.steps =
      spec.nfe ? steps_for_nfe(solver, *spec.nfe, spec.final == Final::zero) : spec.steps.value_or(kDefaultSteps);
  TimeGrid grid = make_grid(grid_of(spec, model), request, spec.own_grids.get());
  if (!spec.nfe) return grid;
  // Variants with another project's name may have that project's number of steps.
  if (const int64_t cost = solver.traits().nfe(grid.steps(), grid.final_zero()); cost != *spec.nfe) {
    throw UsageError(
        fmt::format("`nfe` {}: schedule '{}' makes {} steps of {}, which cost {}; give `steps`, or another schedule",
                    *spec.nfe, spec.schedule, grid.steps(), request.steps, cost));
  }
  return grid;
}

// A hybrid says how many steps there are, and may say where.
TimeGrid legs_grid(const SamplerSpec& spec, const std::vector<HybridLeg>& legs, const ModelInfo& model,
                   const NoiseSchedule& schedule) {
  const int64_t steps = hybrid_steps(legs);
  const bool other = spec.nfe || (spec.steps && *spec.steps != steps) ||
                     (!spec.sigmas.empty() && static_cast<int64_t>(spec.sigmas.size()) != steps + 1);
  if (other)
    throw UsageError(fmt::format("the hybrid {} has {} steps: leave `steps` and `nfe` out, and give `sigmas` {} levels",
                                 spec.solver, steps, steps + 1));
  if (spec.policy != "fixed")
    throw UsageError(fmt::format("the hybrid {} counts its steps: it needs `policy` fixed", spec.solver));
  if (spec.sigmas.empty()) return hybrid_grid(legs, grid_of(spec, model), grid_request(spec, model, schedule));
  if (std::any_of(legs.begin(), legs.end(), [](const HybridLeg& leg) { return leg.high.has_value(); }))
    throw UsageError("`sigmas` gives the levels of all legs: leave out the ranges of the legs");
  return given_levels(spec);
}

// What results call the caller's own objects.
void name_own(SamplerSpec& spec) {
  if (spec.own_solver) spec.solver = spec.own_solver->traits().name.empty() ? "own" : spec.own_solver->traits().name;
  if (spec.own_plan) spec.solver = "plan";
  if (!spec.own_policy) return;
  if (spec.own_plan) throw UsageError("`policy`: a plan brings its own steps; use `policy` fixed");
  if (spec.policy == "fixed" && !spec.own_policy->planned_steps()) spec.policy = "own";
}

// The part of the grid that the spec's strength runs.
TimeGrid refined_grid(const SamplerSpec& spec, const TimeGrid& grid) {
  if (spec.schedule == "plan")
    throw UsageError("`strength`: a plan was fitted from its first level on and cannot begin later; leave it at 1");
  if (spec.nfe)
    throw UsageError("`strength` runs a part of the grid, and `nfe` counts all of it: give `steps` in place of `nfe`");
  try {
    return refine_grid(grid, spec.strength);
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("`strength`: {}", error.what()));
  }
}

}  // namespace

NoiseSchedule noise_schedule_of(const SamplerSpec& spec, const ModelCard* card) {
  if (!spec.noise_schedule.empty()) return make_noise_schedule(Spec::parse(spec.noise_schedule));
  if (card != nullptr && card->noise_schedule) return make_noise_schedule(*card->noise_schedule);
  return make_noise_schedule(Spec::parse("linear"));
}

std::optional<int64_t> Sampler::claimed_nfe() const {
  if (!fixed() || !solver->traits().nfe) return std::nullopt;
  return solver->traits().nfe(grid.steps(), grid.final_zero());
}

int64_t steps_for_nfe(const Solver& solver, int64_t nfe, bool final_zero) {
  if (nfe < 1 || nfe > kMostNfe) throw UsageError(fmt::format("`nfe` {}: give 1 to {}", nfe, kMostNfe));
  const auto& cost = solver.traits().nfe;
  if (!cost)
    throw UsageError(fmt::format("`nfe` {}: {} does not say what its steps cost (SolverTraits::nfe); give `steps`", nfe,
                                 solver.traits().name));
  int64_t below = 0, above = 0;
  for (int64_t steps = 1; steps <= nfe + 1; ++steps) {
    const int64_t spent = cost(steps, final_zero);
    if (spent == nfe) return steps;
    if (spent < nfe) below = spent;
    if (spent > nfe && above == 0) above = spent;
  }
  throw UsageError(fmt::format("`nfe` {}: no number of {} steps costs that{}; possible are {}{}", nfe,
                               solver.traits().name, final_zero ? "" : " with `final` sigma_min",
                               below > 0 ? fmt::format("{} and ", below) : "", above));
}

Sampler make_sampler(const SamplerSpec& wanted, const ModelInfo& model, const ModelCard* card, at::Device device) {
  SamplerSpec spec = wanted;
  name_own(spec);
  const NoiseSchedule noise_schedule = noise_schedule_of(spec, card);
  const SolverContext context{&noise_schedule, device}, on_host{&noise_schedule, at::kCPU};
  std::shared_ptr<const Solver> solver, host_solver;
  std::optional<TimeGrid> own;
  std::optional<MadeFile> made;
  const bool hybrid = !spec.own_plan && !spec.own_solver && is_hybrid(spec.solver);
  if (spec.own_plan) {
    solver = make_plan_solver(*spec.own_plan);
    own = plan_grid(spec, *spec.own_plan, "the plan", model, made);
  } else if (spec.own_solver) {
    solver = spec.own_solver;
  } else if (hybrid) {
    solver = make_hybrid(parse_hybrid(spec.solver), context);
    if (!device.is_cpu()) host_solver = make_hybrid(parse_hybrid(spec.solver), on_host);
  } else {
    const Spec solver_spec = Spec::parse(spec.solver);
    solver = make_solver(solver_spec, context);
    if (!device.is_cpu()) host_solver = make_solver(solver_spec, on_host);
    if (solver_spec.name == "plan")
      own = plan_grid(spec, Plan::load(solver_spec.argument), solver_spec.argument, model, made);
  }
  const GridBuilder build = [&](const SamplerSpec& of, const NoiseSchedule& timesteps) {
    return hybrid ? legs_grid(of, parse_hybrid(of.solver), model, timesteps)
                  : ordinary_grid(of, *solver, model, timesteps);
  };
  TimeGrid grid = own ? *own : build(spec, noise_schedule);
  const bool steps_of_its_own =
      spec.own_policy ? !spec.own_policy->planned_steps() : Spec::parse(spec.policy).name != "fixed";
  std::vector<std::string> warnings;
  if (!own) warnings = without_effect(spec, grid, noise_schedule, steps_of_its_own, build);
  if (!spec.sigmas.empty()) spec.schedule = "sigmas";
  if (spec.strength != 1.0) {
    grid = refined_grid(spec, grid);
    if (hybrid) {
      const std::vector<HybridLeg> rest = last_steps(parse_hybrid(spec.solver), grid.steps());
      solver = make_hybrid(rest, context);
      if (!device.is_cpu()) host_solver = make_hybrid(rest, on_host);
    }
  }
  for (std::string& warning : beyond_training(grid, model)) warnings.push_back(std::move(warning));
  spec.steps = grid.steps();
  spec.final = grid.final_zero() ? Final::zero : Final::sigma_min;
  std::shared_ptr<const StepController> controller = spec.own_policy;
  if (!controller) controller = make_policy(spec, grid, *solver, model, device);
  if (const auto* learned = dynamic_cast<const PredictorController*>(controller.get()))
    made = {spec.own_policy ? "the policy" : Spec::parse(spec.policy).argument, learned->predictor().info().made_with};
  auto term = make_term(spec.term);
  if (term->stochastic() && !solver->traits().integrates_sde) {
    throw UsageError(fmt::format("`term` {}: {} integrates ODEs only; euler can", spec.term, solver->traits().name));
  }
  if (!host_solver) host_solver = solver;
  return {std::move(spec),       std::move(solver), std::move(host_solver), std::move(grid),
          std::move(controller), std::move(term),   std::move(made),        std::move(warnings)};
}

std::vector<std::pair<std::string, std::string>> describe(const Sampler& sampler) {
  std::vector<std::pair<std::string, std::string>> lines = {{"solver", sampler.spec.solver},
                                                            {"schedule", sampler.spec.schedule},
                                                            {"final", to_string(sampler.spec.final)},
                                                            {"policy", sampler.spec.policy},
                                                            {"term", sampler.spec.term}};
  if (const auto nfe = sampler.claimed_nfe()) {
    lines.emplace_back("steps", fmt::format("{}", sampler.grid.steps()));
    lines.emplace_back("nfe", fmt::format("{} per sample", *nfe));
  }
  if (sampler.spec.strength != 1.0) lines.emplace_back("strength", fmt::format("{}", sampler.spec.strength));
  const auto& sigmas = sampler.grid.sigmas();
  std::vector<std::string> shown;
  for (std::size_t i = 0; i < sigmas.size(); ++i) {
    if (sigmas.size() > 12 && i == 6) shown.emplace_back("…");
    if (sigmas.size() <= 12 || i < 6 || i + 5 >= sigmas.size()) shown.push_back(fmt::format("{:.4g}", sigmas[i]));
  }
  lines.emplace_back("sigmas", fmt::format("{}", fmt::join(shown, ", ")));
  return lines;
}

}  // namespace stride
