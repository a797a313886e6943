// What a shell offers at the Tab key, and manual pages: both from the commands' option tables.
#pragma once

#include "apps/cli/command.h"

#include <map>
#include <string>
#include <vector>

namespace stride {

/// The commands in the order of `stride --help`, and the names that an option of some name may have as its value,
/// beside the choices of its table: `{"solver", {"ddim", …}}`.
struct CommandSet {
  std::vector<CommandInfo> commands;
  std::map<std::string, std::vector<std::string>> values;
};

/// "bash", "zsh", "fish".
[[nodiscard]] const std::vector<std::string>& completion_shells();

/// The script that such a shell reads. Throws UsageError on another shell.
[[nodiscard]] std::string completion_script(const std::string& shell, const CommandSet& set);

/// The manual page of a command in troff's `man` macros; of an empty name, that of `stride` itself.
[[nodiscard]] std::string manual_page(const std::string& command, const CommandSet& set, const std::string& version);

}  // namespace stride
