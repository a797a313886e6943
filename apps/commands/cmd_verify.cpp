// stride verify: whether a store or a run folder is whole.
#include "apps/cli/command.h"
#include "evaluation/verify.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

class VerifyCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    if (context.arguments().size() != 1)
      throw UsageError("stride verify needs one path: a run folder, a store, a model's folder or a file");
    const std::string& path = context.arguments()[0];
    if (context.dry_run()) return context.plan({{"reads", path}});
    const Findings findings = verify_path(path);
    for (const std::string& line : findings.checked) context.print("ok       " + line + "\n");
    for (const std::string& line : findings.notes) context.print("note     " + line + "\n");
    for (const std::string& line : findings.problems) context.print("DAMAGED  " + line + "\n");
    const ExitCode code = findings.problems.empty() ? ExitCode::ok : ExitCode::bad_input;
    if (code != ExitCode::ok) context.log().error(fmt::format("{}: {} problems", path, findings.problems.size()));
    return context.done(nlohmann::json{{"ok", findings.problems.empty()},
                                       {"checked", findings.checked},
                                       {"notes", findings.notes},
                                       {"problems", findings.problems}}
                            .dump(),
                        code);
  }

 private:
  CommandInfo info_{
      .name = "verify",
      .summary = "whether a run folder, a store, a model, samples or a plan is whole",
      .description =
          "Checks every file against the checksum that its folder or it itself carries. A note names what carries "
          "none, and what is not finished.",
      .arguments = "PATH",
      .example =
          "stride verify teacher/store\nchecks every shard against its checksum; exit code 3 when one is damaged"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_verify() { return std::make_unique<VerifyCommand>(); }

}  // namespace stride
