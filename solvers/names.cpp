#include "solvers/names.h"

#include "solvers/registry.h"

#include <array>
#include <utility>

namespace stride {
namespace {

// Written endings and the grids that they mean; the longer ones first.
constexpr std::array<std::pair<const char*, const char*>, 11> kEndings{{{"", ""},
                                                                        {"_align_your_steps", "ays"},
                                                                        {"_polyexponential", "polyexponential"},
                                                                        {"_exponential", "exponential"},
                                                                        {"_sgm_uniform", "sgm_uniform"},
                                                                        {"_kl_optimal", "kl_optimal"},
                                                                        {"_karras", "karras"},
                                                                        {"_simple", "simple"},
                                                                        {"_beta", "beta"},
                                                                        {"_ka", "karras"},
                                                                        {"_k", "karras"}}};

const SolverTraits* find_any_form(std::string name) {
  if (const SolverTraits* traits = find_solver(name)) return traits;
  if (name.ends_with("_gpu")) name.resize(name.size() - 4);
  for (const char* prefix : {"sample_", "k_"})
    if (name.starts_with(prefix)) name.erase(0, std::string(prefix).size());
  return find_solver(name);
}

}  // namespace

SamplerName resolve_sampler_name(const std::string& text) {
  const auto colon = std::min(text.find(':'), text.size());
  const std::string name = folded_name(text.substr(0, colon));
  for (const auto& [ending, schedule] : kEndings) {
    if (!name.ends_with(ending)) continue;
    const SolverTraits* traits = find_any_form(name.substr(0, name.size() - std::string(ending).size()));
    if (traits != nullptr) return {traits->name + text.substr(colon), schedule};
  }
  return {text, ""};
}

}  // namespace stride
