#include "pipeline/familiar/sampler_export.h"

#include "framework/error.h"
#include "framework/files/printable.h"
#include "framework/program/program.h"
#include "pipeline/familiar/grid_export.h"
#include "pipeline/familiar/python_file.h"
#include "pipeline/timesteps.h"
#include "solvers/hybrid.h"
#include "solvers/names.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string_view>
#include <variant>

namespace stride {
namespace {

using nlohmann::json;

std::optional<std::string> plan_file(const std::string& word) {
  constexpr std::string_view kPlan = "plan:";
  if (word.starts_with(kPlan)) return word.substr(kPlan.size());
  return word.ends_with(".json") && !word.starts_with("custom:") ? std::optional(word) : std::nullopt;
}

bool names_grid(const std::string& word) {
  const std::string name = folded_name(Spec::parse(word).name);
  const auto is_it = [&](const std::string& one) { return folded_name(one) == name; };
  return std::ranges::any_of(grid_traits(), [&](const GridTraits& grid) {
    return is_it(grid.name) || std::ranges::any_of(grid.aliases, is_it);
  });
}

// A hybrid is its own name.
std::optional<SamplerName> sampler_of(const std::string& word) {
  if (word.empty() || names_grid(word)) return std::nullopt;
  if (is_hybrid(word)) return SamplerName{word, ""};
  SamplerName name = resolve_sampler_name(word);
  return find_solver(Spec::parse(name.solver).name) != nullptr ? std::optional(std::move(name)) : std::nullopt;
}

constexpr int kVersion = 1;  // of "stride-sums": python/stride/exported/table.py

[[noreturn]] void no_such_form(const std::string& form) {
  throw UsageError(
      fmt::format("`to` {}: there are {}", printable(form, Lines::escaped), fmt::join(grid_forms(), ", ")));
}

// `table` is JSON, which holds no three quotes in a row: an empty text is followed by something else.
std::string python_of(const std::string& form, const std::string& table, const std::string& name) {
  const auto& forms = grid_forms();
  if (form == "table" || std::find(forms.begin(), forms.end(), form) == forms.end()) no_such_form(form);
  std::string module = "for_" + form;
  std::replace(module.begin(), module.end(), '-', '_');
  const std::string shown = printable(name, Lines::escaped);
  return python_file(module, {{"PLAN", "r\"\"\"\n" + table + "\"\"\""}, {"NAME", json(shown).dump()}},
                     shown + ", written by stride export");
}

json terms_of(const std::vector<Program::Term>& terms) {
  json out = json::array();
  for (const Program::Term& term : terms) out.push_back({term.slot, term.weight});
  return out;
}

json operation(const Program::Combine& sum) { return {"sum", sum.out, terms_of(sum.terms)}; }
json operation(const Program::Evaluate& asked) { return {"denoise", asked.sigma, asked.at, asked.out}; }
json operation(const Program::Draw& draw) { return {"noise", draw.from, draw.to, draw.out}; }
json operation(const Program::StepEnd& end) { return {"end", end.x}; }
json operation(const Program::Watch&) { return nullptr; }
json operation(const Program::Forward&) { return nullptr; }

}  // namespace

// An operation a line.
std::string sampler_table(const Sampler& sampler, const std::string& name) {
  const Tensor grid = at::tensor(sampler.grid.sigmas(), at::kDouble);
  const ProgramOrReason made = make_program(
      {.solver = *sampler.host_solver, .term = *sampler.term, .controller = *sampler.controller, .grid = grid});
  if (!made.program)
    throw UsageError(fmt::format("`solver` {}: it cannot be written as a table of sums: {}", name, made.reason));
  std::vector<std::string> lines;
  for (const Program::Operation& one : made.program->operations) {
    const json line = std::visit([](const auto& each) { return operation(each); }, one);
    if (!line.is_null()) lines.push_back("    " + line.dump());
  }
  return fmt::format(
      "{{\n  \"format\": \"stride-sums\",\n  \"version\": {},\n  \"solver\": {},\n  \"sigmas\": {},\n"
      "  \"operations\": [\n{}\n  ]\n}}\n",
      kVersion, json(printable(name, Lines::escaped)).dump(), json(sampler.grid.sigmas()).dump(),
      fmt::join(lines, ",\n"));
}

std::string export_plan(const std::string& form, const Plan& plan, const std::string& name) {
  const std::string text = plan.to_json();
  if (form != "table") return python_of(form, text, name);
  std::string out = fmt::format("# {}: a plan of {} evaluations; a level, its scale s_i and its weights w_ij\n",
                                printable(name, Lines::escaped), plan.nfe());
  for (std::size_t i = 0; i < plan.scale_time.size(); ++i)
    out += fmt::format("{}  # s {}  w {}\n", plan.sigmas[i], plan.scale_time[i], fmt::join(plan.weights[i], " "));
  return out + fmt::format("{}\n", plan.sigmas.back());
}

std::string export_sampler(const std::string& form, const Sampler& sampler, const std::string& name) {
  if (form == "table") return export_grid(form, sampler.grid.sigmas(), sampler.grid.sigmas(), name);
  const std::string full = fmt::format("{} {} {}", name, sampler.spec.schedule, sampler.grid.sigmas().size() - 1);
  return python_of(form, sampler_table(sampler, full), full);
}

std::vector<std::string> said_by(const std::string& word) {
  if (plan_file(word))
    return {"solver", "schedule", "steps", "nfe", "final", "sigmas", "sigma_min", "sigma_max", "noise_schedule"};
  if (word.empty()) return {};
  const auto sampler = sampler_of(word);
  if (!sampler) return {"schedule"};
  return sampler->schedule.empty() ? std::vector<std::string>{"solver"}
                                   : std::vector<std::string>{"solver", "schedule"};
}

Exported export_named(const std::string& form, const std::string& word, SamplerSpec spec, const ModelCard& card) {
  if (const auto file = plan_file(word)) {
    const Plan plan = Plan::load(*file);
    return {"plan",
            export_plan(form, plan, std::filesystem::path(*file).stem().string()),
            plan.sigmas,
            {},
            {{"plan", *file}, {"evaluations", fmt::format("{}", plan.nfe())}}};
  }
  const auto name = sampler_of(word);
  if (name) {
    spec.solver = name->solver;
    if (!name->schedule.empty()) spec.schedule = name->schedule;
    if (spec.final == Final::zero && spec.sigmas.empty()) spec.schedule = levels_of_name(*name, spec.schedule);
  } else if (!word.empty()) {
    spec.schedule = word;
  }
  Sampler sampler = make_sampler(spec, card.info, &card);
  const std::vector<double> sigmas = sampler.grid.sigmas();
  std::string text = name ? export_sampler(form, sampler, word)
                          : export_grid(form, sigmas, timesteps_of(sampler, &card), sampler.spec.schedule);
  auto settings = describe(sampler);
  return {name ? "sampler" : "grid", std::move(text), sigmas, std::move(sampler), std::move(settings)};
}

}  // namespace stride
