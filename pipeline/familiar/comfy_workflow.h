// ComfyUI's workflow, as its API takes it ("Export (API)"): one sampler, and what leads to it.
#pragma once

#include "pipeline/familiar/familiar_config.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace stride {

/// Whether this is one: an object of nodes, also under the key `prompt`, or the editor's own form, which is refused
/// with what to do.
[[nodiscard]] bool is_comfy_workflow(const nlohmann::json& document);

/// Reads KSampler, KSamplerAdvanced, SamplerCustom or SamplerCustomAdvanced, and behind it samplers by name, the nodes
/// of levels (comfy_sigmas.h), noise, guiders, RescaleCFG and the ModelSampling… nodes. Prompts, loaders and decoding
/// are the model's card and files here: one note says so. Throws UsageError, naming file, node and key, on what would
/// change the result and has no counterpart.
[[nodiscard]] FamiliarSettings comfy_settings(const nlohmann::json& document, const std::string& where);

}  // namespace stride
