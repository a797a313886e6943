#include "pipeline/overruled.h"

#include "framework/error.h"
#include "framework/spec.h"
#include "solvers/names.h"

#include <fmt/format.h>

#include <utility>

namespace stride {
namespace {

// What brings the levels in place of `schedule`; empty: nothing does.
std::string bringer(const Sampler& sampler) {
  if (sampler.spec.schedule == "plan") return "the plan";
  return sampler.spec.schedule == "sigmas" ? "`sigmas`" : "";
}

void refuse_contradictions(const AskedLevels& asked, const Sampler& sampler) {
  const std::string levels = bringer(sampler);
  if (!levels.empty() && asked.schedule)
    throw UsageError(fmt::format("`schedule` {}: {} gives the levels; leave `schedule` out", *asked.schedule, levels));
  const std::string final = to_string(sampler.spec.final);
  if (asked.final && *asked.final != final)
    throw UsageError(fmt::format("`final` {}: {} ends at {}; leave `final` out", *asked.final,
                                 levels.empty() ? "`schedule` " + sampler.spec.schedule : levels, final));
}

}  // namespace

std::vector<std::string> overruled(const AskedLevels& asked, const Sampler& sampler) {
  std::vector<std::string> out;
  refuse_contradictions(asked, sampler);
  if (sampler.fixed()) return out;
  const std::string policy = Spec::parse(sampler.spec.policy).name;
  for (const auto& [name, value] :
       {std::pair{"steps", asked.steps}, {"nfe", asked.nfe}, {"schedule", asked.schedule}}) {
    if (value)
      out.push_back(
          fmt::format("`{}` {} has no effect: the policy {} chooses the steps of each sample", name, *value, policy));
  }
  if (asked.sigmas)
    out.push_back(
        fmt::format("`sigmas`: only its ends have an effect: the policy {} chooses the steps between", policy));
  const std::string own = asked.solver.empty() ? "" : resolve_sampler_name(asked.solver).schedule;
  if (!own.empty())
    out.push_back(
        fmt::format("the schedule {} in `solver` {} has no effect: the policy {} chooses the steps of each "
                    "sample",
                    own, asked.solver, policy));
  return out;
}

}  // namespace stride
