#include "pipeline/familiar/familiar_config.h"

#include "framework/error.h"
#include "framework/grids/time_grid.h"
#include "framework/named.h"
#include "framework/spec.h"
#include "pipeline/familiar/diffusers_config.h"
#include "solvers/names.h"
#include "solvers/registry.h"

#include <fmt/format.h>

#include <algorithm>

namespace stride {
namespace {

using Settings = std::map<std::string, std::string>;

std::string take(Settings& given, const std::vector<std::string>& keys, const std::string& where) {
  std::string value;
  for (const std::string& key : keys) {
    const auto found = given.find(key);
    if (found == given.end()) continue;
    if (!value.empty())
      throw UsageError(fmt::format("{}: '{}' and '{}' say the same thing; keep one", where, keys[0], key));
    value = found->second;
    given.erase(found);
  }
  return value;
}

// The name in `cards` that `name` is: as it is written, else folded; empty: none.
template <class Cards>
std::string known_name(const Cards& cards, const std::string& name) {
  for (const bool folded : {false, true}) {
    const auto same = [&](const std::string& known) {
      return folded ? folded_name(known) == folded_name(name) : known == name;
    };
    for (const auto& card : cards)
      if (same(card.name) || std::any_of(card.aliases.begin(), card.aliases.end(), same)) return card.name;
  }
  return "";
}

// `text` by the name that tables know; its options stay as they are written (a file's name keeps its case).
template <class Cards>
std::string renamed(const Cards& cards, const std::string& text) {
  const auto colon = std::min(text.find(':'), text.size());
  const std::string name = known_name(cards, Spec::parse(text).name);
  return name.empty() ? text : name + text.substr(colon);
}

// The file's words about noise levels.
struct Levels {
  std::string grid;     // a grid with its options; empty: not said
  std::string spacing;  // of timesteps
  Spec betas;           // a name and options, each perhaps empty
};

Levels take_levels(Settings& given, const std::string& where, std::vector<std::string>& notes) {
  Levels out;
  const std::string said = take(given, {"schedule", "scheduler"}, where);
  const std::string betas = take(given, {"beta_schedule"}, where);
  out.spacing = take(given, {"timestep_spacing", "spacing"}, where);
  for (const auto& [key, option] : {std::pair{"beta_start", "beta_start"}, std::pair{"beta_end", "beta_end"},
                                    std::pair{"num_train_timesteps", "steps"}})
    if (const std::string value = take(given, {key}, where); !value.empty()) out.betas.options[option] = value;
  const bool about_betas = !out.spacing.empty() || !out.betas.options.empty();
  std::string named_betas = betas;
  if (!said.empty()) {
    const std::string name = Spec::parse(said).name;
    const bool grid = !known_name(grid_traits(), name).empty();
    const bool is_betas = !known_name(noise_schedule_traits(), name).empty() && name != "custom";
    if (is_betas && (!grid || (about_betas && betas.empty()))) {
      if (!betas.empty())
        throw UsageError(fmt::format("{}: \"schedule\" {} and \"beta_schedule\" {} say the same thing; keep one", where,
                                     said, betas));
      named_betas = said;
    } else {
      out.grid = renamed(grid_traits(), said);
    }
    if (grid && is_betas)
      notes.push_back(fmt::format("{}: '{}' is read as {}", where, said,
                                  out.grid.empty() ? "the noise schedule, since the file has settings of one"
                                                   : "the grid; \"beta_schedule\" would name the noise schedule"));
  }
  if (!named_betas.empty()) {
    const Spec spec = Spec::parse(renamed(noise_schedule_traits(), named_betas));
    out.betas.name = spec.name;
    out.betas.argument = spec.argument;
    out.betas.options.insert(spec.options.begin(), spec.options.end());
  }
  return out;
}

void add_levels(const Levels& levels, const SamplerName& name, const std::string& where, Settings& out) {
  if (!levels.grid.empty() && !levels.spacing.empty())
    throw UsageError(fmt::format("{}: \"schedule\" {} is a grid, which the spacing {} contradicts; keep one", where,
                                 levels.grid, levels.spacing));
  if (levels.betas.name.empty() && (!levels.betas.options.empty() || !levels.spacing.empty()))
    throw UsageError(fmt::format("{}: a spacing or betas need \"schedule\" to name them, e.g. \"linear\"", where));
  if (!levels.grid.empty() && !name.schedule.empty() && Spec::parse(levels.grid).name != name.schedule)
    throw UsageError(fmt::format("{}: the sampler's name says the schedule '{}', \"schedule\" says '{}'", where,
                                 name.schedule, levels.grid));
  std::string grid = !levels.grid.empty() ? levels.grid : name.schedule;
  if (!levels.betas.name.empty()) {
    out["noise_schedule"] = levels.betas.text();
    if (!levels.spacing.empty() || grid.empty()) grid = levels.spacing.empty() ? "leading" : levels.spacing;
  }
  if (!grid.empty()) out["schedule"] = grid;
}

// The class's own keys for what the file says of levels; returns a grid that it names in their place.
std::string as_class_keys(Settings& given, const Levels& levels) {
  const auto put = [&](const std::string& key, const std::string& value) {
    if (!value.empty()) given[key] = value;
  };
  put("timestep_spacing", levels.spacing);
  put("beta_schedule", levels.betas.name);
  for (const auto& [option, value] : levels.betas.options)
    put(option == "steps"              ? "num_train_timesteps"
        : option == "rescale_zero_snr" ? "rescale_betas_zero_snr"
                                       : option,
        value);
  return levels.grid;
}

void merge(FamiliarSettings& into, FamiliarSettings more) {
  into.fields.merge(more.fields);
  into.notes.insert(into.notes.end(), more.notes.begin(), more.notes.end());
}

}  // namespace

bool is_familiar(const Settings& given) { return given.contains("sampler") || given.contains("_class_name"); }

FamiliarSettings familiar_settings(Settings given, const std::string& where) {
  FamiliarSettings out;
  const bool published = given.contains("_class_name");
  const std::string sampler = take(given, {"sampler", "_class_name"}, where);
  if (const std::string steps = take(given, {"steps"}, where); !steps.empty()) out.fields["steps"] = steps;
  if (const std::string seeds = take(given, {"seeds", "seed"}, where); !seeds.empty()) out.fields["seeds"] = seeds;
  for (auto at = given.begin(); at != given.end();) {
    const auto here = at++;
    if (here->first.find('.') != std::string::npos) out.own.insert(given.extract(here));
  }
  const Levels levels = take_levels(given, where, out.notes);
  if (published || is_diffusers_class(sampler)) {
    const std::string grid = as_class_keys(given, levels);
    merge(out, diffusers_settings(sampler, std::move(given), where, published));
    if (!grid.empty()) out.fields["schedule"] = grid;
    return out;
  }
  const SamplerName name = resolve_sampler_name(sampler);
  add_levels(levels, name, where, out.fields);
  Spec solver = Spec::parse(name.solver);
  // A name that says how levels are made keeps saying it, whatever the schedule will be.
  if (name.drops_next_to_last) solver.name = name.variant;
  for (const auto& [key, value] : given) solver.options[key] = value;
  out.fields["solver"] = solver.text();
  return out;
}

}  // namespace stride
