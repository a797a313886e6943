#include "evaluation/sweep.h"

#include "framework/error.h"
#include "pipeline/policies.h"
#include "solvers/hybrid.h"
#include "solvers/names.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

std::string in_words(const SamplerSpec& spec) {
  std::string out = spec.solver;
  if (spec.policy != "fixed") return out + " under " + spec.policy;
  if (spec.nfe) out += fmt::format(" at {} NFE", *spec.nfe);
  if (spec.steps) out += fmt::format(" with {} steps", *spec.steps);
  return out + fmt::format(" on {}, end {}", spec.schedule, to_string(spec.final));
}

void require_known(const std::vector<std::string>& policies) {
  for (const std::string& policy : policies) (void)policy_traits(Spec::parse(policy).name);
}

bool costs_exactly(const Solver& solver, int64_t nfe, Final final) {
  if (!solver.traits().nfe) return false;
  for (int64_t steps = 1; steps <= nfe + 1; ++steps) {
    if (solver.traits().nfe(steps, final == Final::zero) == nfe) return true;
  }
  return false;
}

// One solver at every count on every grid.
std::vector<SamplerSpec> fixed_specs(const SamplerSweep& sweep, const SamplerSpec& base) {
  std::vector<std::pair<std::optional<int64_t>, std::optional<int64_t>>> counts;  // (nfe, steps)
  for (const int64_t nfe : sweep.nfe) counts.emplace_back(nfe, std::nullopt);
  for (const int64_t steps : sweep.steps) counts.emplace_back(std::nullopt, steps);
  if (counts.empty()) counts.emplace_back(std::nullopt, std::nullopt);
  std::vector<SamplerSpec> out;
  for (const auto& [nfe, steps] : counts) {
    for (const std::string& schedule : sweep.schedules) {
      for (const Final final : sweep.finals) {
        out.push_back(base);
        out.back().nfe = nfe;
        out.back().steps = steps;
        out.back().schedule = schedule;
        out.back().final = final;
      }
    }
  }
  return out;
}

}  // namespace

std::vector<SamplerSpec> sweep_specs(const SamplerSweep& sweep, const ModelInfo& model, const ModelCard* card,
                                     std::vector<std::string>& skipped) {
  require_known(sweep.policies);
  std::vector<SamplerSpec> out;
  const auto add = [&](const SamplerSpec& spec) {
    if (std::find(out.begin(), out.end(), spec) != out.end())
      return skipped.push_back(in_words(spec) + ": asked for twice");
    (void)make_sampler(spec, model, card);
    out.push_back(spec);
  };
  // Everything was checked by itself: what fails now is the combination.
  const auto add_if_possible = [&](const SamplerSpec& spec) {
    try {
      add(spec);
    } catch (const UsageError& error) {
      skipped.push_back(fmt::format("{}: {}", in_words(spec), error.what()));
    }
  };
  const NoiseSchedule noise_schedule = noise_schedule_of(sweep.base, card);
  for (const std::string& text : sweep.solvers) {
    const bool own_object = sweep.base.own_solver || sweep.base.own_plan;
    const SamplerName known = own_object ? SamplerName{text, ""} : resolve_sampler_name(text);
    const std::string& name = known.solver;
    const std::string& own_schedule = known.schedule;
    const bool hybrid = !own_object && is_hybrid(name);
    const bool plan = sweep.base.own_plan || (!hybrid && !own_object && Spec::parse(name).name == "plan");
    SamplerSweep own = sweep;
    if (!own_schedule.empty()) own.schedules = {own_schedule};
    if (hybrid) own.nfe = own.steps = {};
    std::shared_ptr<const Solver> solver = sweep.base.own_solver;
    if (!hybrid && !own_object) solver = make_solver(name, {&noise_schedule});
    SamplerSpec spec = sweep.base;
    spec.solver = name;
    for (const std::string& policy : sweep.policies) {
      spec.policy = policy;
      if (policy != "fixed" || sweep.base.own_policy) {
        spec.schedule = sweep.schedules.front();
        spec.final = sweep.finals.front();
        spec.nfe = spec.steps = std::nullopt;
        add_if_possible(spec);
      } else if (plan) {
        SamplerSpec one = spec;  // the range and the noise schedule are for those that have no levels of their own
        one.sigma_min = one.sigma_max = std::nullopt;
        one.noise_schedule.clear();
        add(one);
      } else {
        for (SamplerSpec one : fixed_specs(own, spec)) {
          if (known.drops_next_to_last && one.final == Final::zero) one.schedule = levels_of_name(known, one.schedule);
          const bool possible = !one.nfe || (solver && costs_exactly(*solver, *one.nfe, one.final));
          possible ? add(one) : add_if_possible(one);
        }
      }
    }
  }
  if (out.empty()) {
    throw UsageError(skipped.empty() ? "no sampler to evaluate; give at least one `solver`"
                                     : "no sampler can be run as asked: " + skipped.front());
  }
  return out;
}

}  // namespace stride
