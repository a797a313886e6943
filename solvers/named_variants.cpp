#include "solvers/named_variants.h"

#include "solvers/registry.h"

#include <fmt/format.h>

#include <algorithm>

namespace stride {
namespace {

const std::vector<NamedVariant>& table() {
  static const std::vector<NamedVariant> variants{
      {"DPM++ 2M SDE Heun", "dpmpp_2m_sde", {{"solver_type", "heun"}}},
      {"dpmpp_2m_sde_heun", "dpmpp_2m_sde", {{"solver_type", "heun"}}},
      // ComfyUI's, which leaves out the last but one level for these four.
      {"uni_pc", "unipc", {{"variant", "bh1"}, {"lower_order_final", "true"}}, true},
      {"uni_pc_bh2", "unipc", {{"lower_order_final", "true"}}, true},
      {"dpm_2", "dpm2", {}, true},
      {"dpm_2_ancestral", "dpm2_ancestral", {}, true},
      // A1111's, which does so for these three.
      {"DPM2", "dpm2", {}, true, true},
      {"DPM2 a", "dpm2_ancestral", {}, true},
      {"DPM++ 3M SDE", "dpmpp_3m_sde", {}, true},
      // diffusers' classes, by the defaults of their constructors (pipeline/familiar/diffusers_defaults.def).
      {"DEISMultistepScheduler", "deis", {{"order", "2"}, {"lower_order_final", "true"}}},
      {"DPMSolverMultistepScheduler", "dpmpp_2m", {{"lower_order_final", "true"}}},
      {"LCMScheduler", "lcm", {{"boundary", "true"}}},
      {"SASolverScheduler", "sa_solver", {{"predictor", "2"}, {"corrector", "2"}, {"simple_order_2", "true"}}},
      {"UniPCMultistepScheduler", "unipc", {{"order", "2"}, {"lower_order_final", "true"}}},
  };
  return variants;
}

}  // namespace

const NamedVariant* find_named_variant(const std::string& name) {
  const std::string wanted = folded_name(name);
  const auto found = std::find_if(table().begin(), table().end(), [&](const NamedVariant& variant) {
    return variant.as_written ? variant.name == name : folded_name(variant.name) == wanted;
  });
  return found == table().end() ? nullptr : &*found;
}

std::vector<std::string> named_variant_names() {
  std::vector<std::string> out;
  for (const NamedVariant& variant : table()) out.push_back(variant.name);
  return out;
}

Spec without_variant(Spec spec) {
  const NamedVariant* variant = find_named_variant(spec.name);
  if (variant == nullptr) return spec;
  spec.name = variant->solver;
  spec.options.insert(variant->options.begin(), variant->options.end());
  return spec;
}

std::vector<std::string> also_called(const SolverTraits& traits) {
  std::vector<std::string> out = traits.aliases;
  for (const NamedVariant& variant : table()) {
    if (variant.solver != traits.name) continue;
    std::string what = Spec{{}, {}, variant.options}.text();
    what.erase(0, what.find(':') == std::string::npos ? what.size() : 1);
    if (variant.drops_next_to_last) what += (what.empty() ? "" : "; ") + std::string("drop_next_to_last");
    out.push_back(fmt::format("{} ({})", variant.name, what));
  }
  return out;
}

}  // namespace stride
