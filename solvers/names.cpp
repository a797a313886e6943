#include "solvers/names.h"

#include "framework/spec.h"
#include "solvers/named_variants.h"
#include "solvers/registry.h"

#include <array>
#include <optional>
#include <utility>

namespace stride {
namespace {

// Written endings and the grids that they mean; the longer ones first.
constexpr std::array<std::pair<const char*, const char*>, 12> kEndings{{{"", ""},
                                                                        {"_align_your_steps", "ays"},
                                                                        {"_polyexponential", "polyexponential"},
                                                                        {"_exponential", "exponential"},
                                                                        {"_sgm_uniform", "sgm_uniform"},
                                                                        {"_kl_optimal", "kl_optimal"},
                                                                        {"_karras", "karras"},
                                                                        {"_simple", "simple"},
                                                                        {"_beta", "beta"},
                                                                        {"_exp", "exponential"},
                                                                        {"_ka", "karras"},
                                                                        {"_k", "karras"}}};

// A solver that was found, and how its project treats its levels.
struct Found {
  Spec solver;
  bool drops_next_to_last = false;
  std::string variant = {};
};

// The registry's name, with options where a variant's name says some.
std::optional<Found> find_exactly(const std::string& name) {
  const SolverTraits* traits = find_solver(name);
  if (traits == nullptr) return std::nullopt;
  const NamedVariant* variant = find_named_variant(name);
  if (variant == nullptr) return Found{{traits->name, {}, {}}};
  return Found{{traits->name, {}, variant->options}, variant->drops_next_to_last, variant->name};
}

std::optional<Found> find_any_form(std::string name) {
  if (auto found = find_exactly(name)) return found;
  if (folded_name(name).ends_with("_gpu")) name.resize(name.size() - 4);
  // k-diffusion's functions are given their levels; A1111's k_ is the name without it.
  const std::string sample = "sample_", k = "k_";
  const bool function = folded_name(name).starts_with(sample);
  if (function) name.erase(0, sample.size());
  if (folded_name(name).starts_with(k)) name.erase(0, k.size());
  auto found = find_exactly(name);
  if (found && function) found->drops_next_to_last = false;
  return found;
}

std::string with_options(const Spec& solver, const std::string& written) {
  if (solver.options.empty()) return solver.name + written;
  Spec out = Spec::parse(solver.name + written);
  out.options.insert(solver.options.begin(), solver.options.end());
  return out.text();
}

}  // namespace

SamplerName resolve_sampler_name(const std::string& text) {
  const auto colon = std::min(text.find(':'), text.size());
  const std::string written = text.substr(0, colon);
  const std::string name = folded_name(written);  // as long as what is written
  for (const auto& [ending, schedule] : kEndings) {
    if (!name.ends_with(ending)) continue;
    if (const auto found = find_any_form(written.substr(0, name.size() - std::string(ending).size())))
      return {with_options(found->solver, text.substr(colon)), schedule, found->drops_next_to_last, found->variant};
  }
  return {text, ""};
}

std::string levels_of_name(const SamplerName& name, const std::string& schedule) {
  constexpr const char* kDrop = "drop_next_to_last";
  Spec spec = Spec::parse(schedule);
  if (!name.drops_next_to_last || spec.name == "custom" || spec.options.contains(kDrop)) return schedule;
  spec.options.emplace(kDrop, "true");
  return spec.text();
}

std::string canonical_solver(const std::string& text) {
  Spec spec = without_variant(Spec::parse(text));
  spec.name = solver_traits(spec.name).name;
  return spec.text();
}

}  // namespace stride
