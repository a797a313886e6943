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

// The registry's name, with options where a variant's name says some.
std::optional<Spec> find_exactly(const std::string& name) {
  const SolverTraits* traits = find_solver(name);
  if (traits == nullptr) return std::nullopt;
  return Spec{traits->name, {}, without_variant({name, {}, {}}).options};
}

std::optional<Spec> find_any_form(std::string name) {
  if (auto found = find_exactly(name)) return found;
  if (name.ends_with("_gpu")) name.resize(name.size() - 4);
  for (const char* prefix : {"sample_", "k_"})
    if (name.starts_with(prefix)) name.erase(0, std::string(prefix).size());
  return find_exactly(name);
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
  const std::string name = folded_name(text.substr(0, colon));
  for (const auto& [ending, schedule] : kEndings) {
    if (!name.ends_with(ending)) continue;
    if (const auto solver = find_any_form(name.substr(0, name.size() - std::string(ending).size())))
      return {with_options(*solver, text.substr(colon)), schedule};
  }
  return {text, ""};
}

std::string canonical_solver(const std::string& text) {
  Spec spec = without_variant(Spec::parse(text));
  spec.name = solver_traits(spec.name).name;
  return spec.text();
}

}  // namespace stride
