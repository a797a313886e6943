// What the training commands have in common: how images are read, and the command that repeats a training.
#pragma once

#include "apps/cli/context.h"
#include "pipeline/trained_model.h"

#include <string>

namespace stride {

/// The options that say how images are read (--size, --crop, --colour, --mirror), and what they say.
[[nodiscard]] OptionTable image_options();
[[nodiscard]] ImageTransform image_transform(const OptionValues& options);

/// The last part of a folder's path: what a model in it is called.
[[nodiscard]] std::string folder_name(const std::string& folder);

/// The command that repeats a training: every option that is not as it comes and that changes the result, among them
/// --device, --dtype and --tf32, and the number of threads.
[[nodiscard]] std::string training_command(const Context& context);

}  // namespace stride
