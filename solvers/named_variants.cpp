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
      {"uni_pc", "unipc", {{"variant", "bh1"}}},  // ComfyUI's; its uni_pc_bh2 is an alias
  };
  return variants;
}

}  // namespace

const NamedVariant* find_named_variant(const std::string& name) {
  const std::string wanted = folded_name(name);
  const auto found = std::find_if(table().begin(), table().end(),
                                  [&](const NamedVariant& variant) { return folded_name(variant.name) == wanted; });
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
    const std::string options = Spec{{}, {}, variant.options}.text();
    out.push_back(fmt::format("{} ({})", variant.name, options.substr(options.find(':') + 1)));
  }
  return out;
}

}  // namespace stride
