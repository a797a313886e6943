// A whole sampler as other projects take one: a file that needs nothing of Stride.
#pragma once

#include "pipeline/sampler.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// The plan under another project's interface:
///   k-diffusion  Python: sample_stride(model, x, sigmas=None, extra_args=None, callback=None, disable=None)
///   diffusers    Python: StrideScheduler, for a pipeline
///   comfyui      Python: a sampler node and a node of its levels, a file for custom_nodes
///   numpy        Python: sample(denoise, x)
///   table        its levels with weights and scales in comments: `custom:FILE` reads the levels
/// `name` says which one it is. Throws UsageError on another form and an invalid plan.
[[nodiscard]] std::string export_plan(const std::string& form, const Plan& plan, const std::string& name);

/// A sampler whose steps on its grid are sums of what the denoiser said, of the start and of noise, as JSON of the
/// format `stride-sums`: python/stride/exported/table.py says what is in it and runs it. Throws UsageError where they
/// are not, saying why.
[[nodiscard]] std::string sampler_table(const Sampler& sampler, const std::string& name);

/// As export_plan, of sampler_table; the form `table` is of its grid.
[[nodiscard]] std::string export_sampler(const std::string& form, const Sampler& sampler, const std::string& name);

/// What was exported, and from what.
struct Exported {
  std::string what;  ///< "plan", "sampler" or "grid"
  std::string text;
  std::vector<double> sigmas;
  std::optional<Sampler> sampler;                             ///< none: of a plan
  std::vector<std::pair<std::string, std::string>> settings;  ///< for people
};

/// The plan in a file (`FILE.json`, `plan:FILE`), the sampler or else the grid that `word` names; the grid of `spec`
/// where it is empty. What else a sampler or grid needs is in `spec`. Throws as export_plan, export_sampler,
/// export_grid, make_sampler and Plan::load.
[[nodiscard]] Exported export_named(const std::string& form, const std::string& word, SamplerSpec spec,
                                    const ModelCard& card);
/// The fields of a spec that `word` says itself: asking for them too would contradict it.
[[nodiscard]] std::vector<std::string> said_by(const std::string& word);

}  // namespace stride
