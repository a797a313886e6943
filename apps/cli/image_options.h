// --decoder and --post: from samples to pictures.
#pragma once

#include "apps/cli/context.h"
#include "pipeline/decoding/image_stage.h"

namespace stride {

/// --decoder and --post, with keys under `section`.
[[nodiscard]] OptionTable image_options(const std::string& section);
/// The networks that they name, on the command's device, run where --trust-model allows it; notes them for
/// manifest.json.
[[nodiscard]] ImageStages image_stages(Context& context);

}  // namespace stride
