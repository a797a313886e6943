// Options that something else overrules: said, never silent.
#include "apps/cli/flag_names.h"
#include "apps/cli/sampling_options.h"
#include "pipeline/overruled.h"
#include "pipeline/provenance.h"

#include <nlohmann/json.hpp>
#include <set>

namespace stride {

std::vector<std::string> overruled(const OptionValues& options, const Sampler& sampler) {
  if (!options.knows("steps")) return {};
  const auto asked = [&](const char* option) {
    return options.asked(option) ? std::optional(options.values(option).front()) : std::nullopt;
  };
  return overruled({.steps = asked("steps"),
                    .nfe = asked("nfe"),
                    .schedule = asked("schedule"),
                    .final = asked("final"),
                    .sigmas = options.has("sigmas"),
                    .solver = options.has("solver") ? options.values("solver").front() : ""},
                   sampler);
}

void say(Context& context, const std::string& warning) {
  std::set<std::string> names;
  for (const Option& option : context.options().table()) names.insert(option.name);
  context.log().warning(with_flags(warning, names));
}

void warn(Context& context, const std::vector<std::string>& warnings) {
  if (warnings.empty()) return;
  for (const std::string& warning : warnings) say(context, warning);
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
