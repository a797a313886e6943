// How other projects write a sampler: "DPM++ 2M Karras", sample_heun, dpmpp_sde_gpu.
#pragma once

#include <string>

namespace stride {

struct SamplerName {
  std::string solver;    ///< the registry's name with the options of the text; the text itself where nobody is known
  std::string schedule;  ///< the grid that the name says; empty: none
  /// The name's project leaves out the last level above 0 for it (NamedVariant).
  bool drops_next_to_last = false;
  std::string variant = {};  ///< the NamedVariant's name; empty: the name is none of them
};

/// Reads a solver with what other projects write around its name: a schedule behind it (A1111's "… Karras", InvokeAI's
/// `…_k`), k-diffusion's `sample_` and `k_` before it, ComfyUI's `_gpu` behind it. Options after a colon stay,
/// and win over those that a name says ("DPM++ 2M SDE Heun").
[[nodiscard]] SamplerName resolve_sampler_name(const std::string& text);

/// `schedule` with what the name's project does to it: `drop_next_to_last=true`, where there are levels to drop, which
/// is not so for levels from a file and for grids that say themselves whether they do.
[[nodiscard]] std::string levels_of_name(const SamplerName& name, const std::string& schedule);

/// How one solver is written whatever its name: "DPM++ 2M SDE Heun" is "dpmpp_2m_sde:solver_type=heun". Options come in
/// the order of their names, and defaults that are given stay. Throws UsageError on an unknown name.
[[nodiscard]] std::string canonical_solver(const std::string& text);

}  // namespace stride
