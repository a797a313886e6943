// stride completion: scripts for shells, and manual pages.
#include "apps/cli/build_info.h"
#include "apps/cli/completion.h"
#include "apps/commands/commands.h"
#include "evaluation/listing.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

std::vector<std::string> listed(const std::string& what) {
  std::vector<std::string> out;
  for (const auto& entry : nlohmann::json::parse(make_listing(what).json)) out.push_back(entry.at("name"));
  return out;
}

CommandSet all_commands() {
  CommandSet set;
  for (const auto& command : make_commands()) set.commands.push_back(command->info());
  set.values = {{"solver", listed("solvers")},
                {"schedule", listed("schedules")},
                {"model", listed("models")},
                {"policy", listed("policies")},
                {"noise-schedule", listed("noise-schedules")}};
  return set;
}

class CompletionCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const auto& words = context.arguments();
    if (words.empty() || words.size() > (words.front() == "man" ? 2U : 1U))
      throw UsageError("stride completion takes bash, zsh or fish, or man and a command's name");
    const CommandSet set = all_commands();
    context.print(words.front() == "man" ? manual_page(words.size() > 1 ? words[1] : "", set, stride_version())
                                         : completion_script(words.front(), set));
    return ExitCode::ok;
  }

 private:
  CommandInfo info_{
      .name = "completion",
      .summary = "completion for a shell, or manual pages",
      .description =
          "Prints what bash, zsh or fish read to complete commands, options and names at the Tab key, or a "
          "manual page: all made of the same table as --help. An installation has both in their places.",
      .arguments = "bash|zsh|fish|man [COMMAND]",
      .example = "source <(stride completion bash)\nfrom now on the Tab key knows stride in this shell"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_completion() { return std::make_unique<CompletionCommand>(); }

}  // namespace stride
