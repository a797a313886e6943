#include "apps/commands/commands.h"

namespace stride {

#define STRIDE_COMMAND(name) std::unique_ptr<Command> make_cmd_##name();
#include "apps/commands/commands.def"
#undef STRIDE_COMMAND

std::vector<std::unique_ptr<Command>> make_commands() {
  std::vector<std::unique_ptr<Command>> out;
#define STRIDE_COMMAND(name) out.push_back(make_cmd_##name());
#include "apps/commands/commands.def"
#undef STRIDE_COMMAND
  return out;
}

}  // namespace stride
