// stride repro: a run once more, and whether it comes to the same.
#include "apps/cli/interrupt.h"
#include "apps/commands/commands.h"
#include "apps/experiment/child_process.h"
#include "evaluation/reproduction.h"
#include "evaluation/text_table.h"
#include "pipeline/familiar/config_document.h"
#include "pipeline/run_folder.h"

#include <chrono>
#include <csignal>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

// The command that the configuration of a run is of.
std::string command_of(const std::string& folder) {
  for (const ConfigEntry& entry : parse_toml_entries(run_config(folder), folder + "/config.toml"))
    if (entry.key == "command" && entry.values.size() == 1) return entry.values.front().text;
  throw InputError(fmt::format("{}/config.toml does not say of which command it is", folder));
}

class ReproCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    if (context.arguments().size() != 1) throw UsageError("stride repro takes one run folder");
    const std::string& folder = context.arguments().front();
    const std::string command = command_of(folder), again = context.options().text_or("out", folder + "-repro");
    if (!run_end(folder))
      throw InputError(fmt::format("{}: this run has not ended: continue it with --resume", folder));
    const std::vector<std::string> words = run_words(own_program(), command, folder + "/config.toml", again);
    if (context.dry_run()) return context.plan({{"runs", shell_quote(words)}, {"compares", folder + " with " + again}});
    if (!run_end(again)) run_again(words, again + ".log");
    if (interrupted()) return context.stopped(fmt::format("{} goes on with the same command", again));
    if (!run_end(again))
      throw InputError(fmt::format("the run did not end this time; what it said is in {}.log", again));
    const std::vector<FileLikeness> files = compare_runs(folder, again);
    TextTable table({{"file"}, {""}});
    nlohmann::ordered_json json = nlohmann::ordered_json::object();
    bool same = true;
    for (const auto& [name, likeness] : files) {
      table.add({name, to_string(likeness)});
      json[name] = to_string(likeness);
      same = same && (likeness == Likeness::same || likeness == Likeness::same_but_cost);
    }
    context.print(table.text());
    context.print(same ? "reproduced\n" : "NOT reproduced\n");
    return context.done(nlohmann::ordered_json{{"again", again}, {"reproduced", same}, {"files", json}}.dump(),
                        same ? ExitCode::ok : ExitCode::non_finite);
  }

 private:
  static void run_again(const std::vector<std::string>& words, const std::string& log) {
    const pid_t process = start_process(words, log);
    bool told = false;
    while (poll_process(process) < 0) {
      if (interrupted() && !told) (void)kill(process, SIGINT);
      told = interrupted().has_value();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  CommandInfo info_{.name = "repro",
                    .summary = "run a run folder's command again, and compare the results bit for bit",
                    .description =
                        "Runs what the folder's config.toml says once more, in DIR-repro, and compares every file that "
                        "holds results. Times and memory may differ; anything else ends with exit code 4. Where files "
                        "are named by relative paths, run it from where the run was started.",
                    .arguments = "DIR",
                    .example = "stride repro runs/20260131T123456Z-sample-1a2b3c4d\nlists samples.h5 as the same bits",
                    .common = {.saves = true},
                    .options = {{.name = "out", .value = "DIR", .help = "where it runs again (default: DIR-repro)"}}};
};

}  // namespace

std::unique_ptr<Command> make_cmd_repro() { return std::make_unique<ReproCommand>(); }

}  // namespace stride
