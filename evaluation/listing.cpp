#include "evaluation/listing.h"

#include "evaluation/text_table.h"
#include "framework/grids/time_grid.h"
#include "framework/named.h"
#include "pipeline/model_card.h"
#include "pipeline/policies.h"
#include "solvers/named_variants.h"
#include "solvers/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::json;

constexpr auto kLeft = TextTable::Align::left;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

template <class T>
std::string or_dash(const std::optional<T>& value) {
  return value ? fmt::format("{}", *value) : "–";
}

// Each by itself, beside the one line that `options` is.
Json option_list(const std::vector<OptionInfo>& options) {
  Json out = Json::array();
  for (const OptionInfo& option : options)
    out.push_back({{"name", option.name},
                   {"default", option.fallback},
                   {"allowed", option.allowed},
                   {"choices", option.choices},
                   {"summary", option.summary}});
  return out;
}

Json solver_json(const SolverTraits& traits) {
  Json costs = Json::object();
  for (const int64_t steps : {1, 2, 5, 10}) {
    costs[std::to_string(steps)] = {{"zero", traits.nfe(steps, true)}, {"sigma_min", traits.nfe(steps, false)}};
  }
  return {{"name", traits.name},
          {"aliases", traits.aliases},
          {"also_called", also_called(traits)},
          {"family", traits.family},
          {"order", or_null(traits.order)},
          {"start_order", or_null(traits.start_order)},
          {"error_order", or_null(traits.error_order)},
          {"strong_order", or_null(traits.strong_order)},
          {"history", traits.history},
          {"stochastic", traits.stochastic},
          {"integrates_sde", traits.integrates_sde},
          {"masked", traits.masked},
          {"policy", traits.policy},
          {"nfe", costs},
          {"options", options_text(traits.options)},
          {"option_list", option_list(traits.options)},
          {"variants", traits.variants},
          {"also", traits.also},
          {"summary", traits.summary},
          {"reference", traits.reference}};
}

struct Parts {
  Json json = Json::array();
  std::string text;
};

// What is too long for the table, below it: a line a name, or more where it does not fit.
class Notes final {
 public:
  Notes(const char* title, const ListLayout& layout) : title_(title), layout_(layout) {}
  void add(const std::string& name, const std::string& note) {
    if (note.empty()) return;
    const auto lines = wrapped(fmt::format("{}: {}", name, note), layout_.width - 4);
    text_ += fmt::format("  {}\n", fmt::join(lines, "\n    "));
  }
  [[nodiscard]] std::string text() const {
    return text_.empty() || !layout_.details ? "" : fmt::format("\n{}:\n{}", title_, text_);
  }

 private:
  const char* title_;
  ListLayout layout_;
  std::string text_;
};

Parts list_solvers(const ListLayout& layout) {
  Parts out;
  Notes references("References", layout);
  TextTable table({{"solver"},
                   {"order", TextTable::Align::right},
                   {"nfe of 10 steps", TextTable::Align::right},
                   {"also called", kLeft, true},
                   {"options", kLeft, true},
                   {"what it is"}});
  for (const std::string& name : solver_names()) {
    const SolverTraits& traits = solver_traits(name);
    out.json.push_back(solver_json(traits));
    table.add({traits.name, or_dash(traits.order), fmt::format("{}", traits.nfe(10, true)),
               fmt::format("{}", fmt::join(also_called(traits), ", ")), options_text(traits.options), traits.summary});
    references.add(traits.name, traits.reference);
  }
  out.text = table.text(layout.width, layout.details) + references.text();
  return out;
}

Parts list_schedules(const ListLayout& layout) {
  Parts out;
  Notes references("References", layout);
  TextTable table({{"schedule"},
                   {"also called", kLeft, true},
                   {"options (the first value is the default)", kLeft, true},
                   {"what it is"}});
  Notes differences("Other numbers under the same name", layout);
  for (const GridTraits& traits : grid_traits()) {
    out.json.push_back({{"name", traits.name},
                        {"aliases", traits.aliases},
                        {"summary", traits.summary},
                        {"options", options_text(traits.options)},
                        {"option_list", option_list(traits.options)},
                        {"differs", traits.differs},
                        {"reference", traits.reference},
                        {"needs_noise_schedule", traits.needs_noise_schedule}});
    table.add({traits.name, fmt::format("{}", fmt::join(traits.aliases, ", ")), options_text(traits.options),
               traits.summary});
    differences.add(traits.name, traits.differs);
    references.add(traits.name, traits.reference);
  }
  out.text = table.text(layout.width, layout.details) + differences.text() + references.text();
  return out;
}

Parts list_models(const ListLayout& layout) {
  Parts out;
  TextTable table({{"model"}, {"kind"}, {"shape"}, {"sigma"}, {"conditions"}, {"sha256", kLeft, true}});
  for (const std::string& name : known_models()) {
    const ModelInfo info = find_model(name).card.info;
    std::vector<std::string> conditions;
    Json condition_json = Json::array();
    for (const ConditionSpec& condition : info.conditions) {
      conditions.push_back(condition.classes > 0 ? fmt::format("{} 0-{}", condition.name, condition.classes - 1)
                                                 : condition.name);
      condition_json.push_back({{"name", condition.name}, {"classes", condition.classes}});
    }
    out.json.push_back({{"name", name},
                        {"kind", info.kind},
                        {"shape", info.shape},
                        {"sigma_min", info.sigma_min},
                        {"sigma_max", info.sigma_max},
                        {"sigma_data", info.sigma_data},
                        {"conditions", condition_json},
                        {"sha256", info.sha256}});
    table.add({name, info.kind, fmt::format("{}", fmt::join(info.shape, " × ")),
               fmt::format("{:g}–{:g}", info.sigma_min, info.sigma_max), fmt::format("{}", fmt::join(conditions, ", ")),
               info.sha256.substr(0, 12)});
  }
  out.text = table.text(layout.width, layout.details);
  return out;
}

Parts list_policies(const ListLayout& layout) {
  Parts out;
  Notes references("References", layout);
  TextTable table({{"policy"}, {"options", kLeft, true}, {"what it is"}});
  for (const PolicyTraits& traits : policy_traits()) {
    out.json.push_back({{"name", traits.name},
                        {"summary", traits.summary},
                        {"options", options_text(traits.options)},
                        {"option_list", option_list(traits.options)},
                        {"reference", traits.reference}});
    table.add({traits.name, options_text(traits.options), traits.summary});
    references.add(traits.name, traits.reference);
  }
  out.text = table.text(layout.width, layout.details) + references.text();
  return out;
}

Parts list_noise_schedules(const ListLayout& layout) {
  Parts out;
  Notes references("References", layout);
  TextTable table({{"noise schedule"},
                   {"also called", kLeft, true},
                   {"largest sigma", TextTable::Align::right},
                   {"options", kLeft, true},
                   {"what it is"}});
  for (const NoiseScheduleTraits& traits : noise_schedule_traits()) {
    Json row = {{"name", traits.name},
                {"aliases", traits.aliases},
                {"summary", traits.summary},
                {"options", options_text(traits.options)},
                {"option_list", option_list(traits.options)},
                {"reference", traits.reference}};
    std::string largest = "–";
    if (traits.name != "custom") {
      const NoiseSchedule schedule = make_noise_schedule(Spec::parse(traits.name));
      row["timesteps"] = schedule.size();
      row["sigma_min"] = schedule.sigmas().front();
      row["sigma_max"] = schedule.sigmas().back();
      largest = fmt::format("{:.4g}", schedule.sigmas().back());
    }
    out.json.push_back(row);
    table.add({traits.name, fmt::format("{}", fmt::join(traits.aliases, ", ")), largest, options_text(traits.options),
               traits.summary});
    references.add(traits.name, traits.reference);
  }
  out.text = table.text(layout.width, layout.details) + references.text();
  return out;
}

struct Kind {
  const char* name;
  Parts (*make)(const ListLayout& layout);
};
constexpr Kind kKinds[] = {{"solvers", list_solvers},
                           {"schedules", list_schedules},
                           {"models", list_models},
                           {"policies", list_policies},
                           {"noise-schedules", list_noise_schedules}};

}  // namespace

std::vector<std::string> list_names() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

Listing make_listing(const std::string& name, const ListLayout& layout) {
  for (const Kind& kind : kKinds) {
    if (name != kind.name) continue;
    const Parts parts = kind.make(layout);
    return {parts.json.dump(), parts.text};
  }
  throw unknown_name("list", name, list_names(), list_names());
}

}  // namespace stride
