// All subcommands.
#pragma once

#include "apps/cli/command.h"

#include <memory>
#include <vector>

namespace stride {

/// In the order of commands.def.
[[nodiscard]] std::vector<std::unique_ptr<Command>> make_commands();

}  // namespace stride
