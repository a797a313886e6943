// Options that something else overrules: said, never silent.
#include "apps/cli/flag_names.h"
#include "apps/cli/sampling_options.h"
#include "pipeline/provenance.h"
#include "solvers/names.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

namespace stride {
namespace {

// What brings the levels in place of --schedule; empty: nothing does.
std::string bringer(const Sampler& sampler) {
  if (sampler.spec.schedule == "plan") return "the plan";
  return sampler.spec.schedule == "sigmas" ? "--sigmas" : "";
}

void refuse_contradictions(const OptionValues& options, const Sampler& sampler) {
  const std::string levels = bringer(sampler);
  const bool own_levels = !levels.empty();
  if (own_levels && options.asked("schedule"))
    throw UsageError(fmt::format("--schedule {}: {} gives the levels; leave --schedule out",
                                 options.values("schedule").front(), levels));
  const std::string final = to_string(sampler.spec.final);
  if (options.asked("final") && options.text("final") != final)
    throw UsageError(fmt::format("--final {}: {} ends at {}; leave --final out", options.text("final"),
                                 own_levels ? levels : "--schedule " + sampler.spec.schedule, final));
}

}  // namespace

std::vector<std::string> overruled(const OptionValues& options, const Sampler& sampler) {
  std::vector<std::string> out;
  if (!options.knows("steps")) return out;
  refuse_contradictions(options, sampler);
  if (sampler.fixed()) return out;
  const std::string policy = Spec::parse(sampler.spec.policy).name;
  for (const char* option : {"steps", "nfe", "schedule"}) {
    if (options.asked(option))
      out.push_back(fmt::format("`{}` {} has no effect: the policy {} chooses the steps of each sample", option,
                                options.values(option).front(), policy));
  }
  if (options.has("sigmas"))
    out.push_back(
        fmt::format("`sigmas`: only its ends have an effect: the policy {} chooses the steps between", policy));
  const std::string own = options.has("solver") ? resolve_sampler_name(options.values("solver").front()).schedule : "";
  if (!own.empty())
    out.push_back(
        fmt::format("the schedule {} in `solver` {} has no effect: the policy {} chooses the steps of each "
                    "sample",
                    own, options.values("solver").front(), policy));
  return out;
}

void warn(Context& context, const std::vector<std::string>& warnings) {
  if (warnings.empty()) return;
  std::set<std::string> names;
  for (const Option& option : context.options().table()) names.insert(option.name);
  for (const std::string& warning : warnings) context.log().warning(with_flags(warning, names));
  context.add_fact("warnings", nlohmann::json(warnings).dump());
}

void check_run(Context& context, const Sampler& sampler, const ModelInfo& model, const DrawSettings& settings) {
  require_made_for(sampler, model, settings);
  std::vector<std::string> warnings = overruled(context.options(), sampler);
  const std::vector<std::string> more = run_warnings(sampler, settings);
  warnings.insert(warnings.end(), more.begin(), more.end());
  warn(context, warnings);
}

}  // namespace stride
