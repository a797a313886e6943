// How a subcommand is written: one file and one line.
//
// apps/commands/cmd_thing.cpp:
//
//   #include "apps/cli/command.h"
//   namespace stride {
//   namespace {
//   class Thing final : public Command {
//    public:
//     [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }
//     [[nodiscard]] ExitCode run(Context& context) const override {
//       const OptionValues& options = context.options();
//       const auto strength = options.number("strength");        // typed by the table
//       // ... build and check everything the run needs (models, solvers, files) ...
//       if (context.dry_run()) return context.plan({{"strength", fmt::format("{}", strength)}});
//       RunDir& run = context.run_dir();                         // made here, on first use
//       ProgressBar bar = context.progress("thinking", total);   // bar.fn() is a ProgressFn
//       // ... work; look at context.stop() between units of work; save what is finished ...
//       if (context.stop()) return context.stopped("12 of 64 things are saved");
//       context.print("the result\n");                           // standard output
//       return context.done(R"({"things": 64})");                // DONE, and the object of --json
//     }
//    private:
//     CommandInfo info_{.name = "thing", .summary = "does a thing", ...};
//   };
//   }  // namespace
//   std::unique_ptr<Command> make_cmd_thing() { return std::make_unique<Thing>(); }
//   }  // namespace stride
//
// apps/commands/commands.def, in the order of `stride --help`:
//
//   STRIDE_COMMAND(thing)
//
// Sampling options, and the solver, grid, noise and policy they mean, come from apps/cli/sampling_options.h.
// Errors are thrown (framework/error.h); apps/program.cpp turns them into exit codes (apps/cli/exit_code.h). Results go
// to context.print, everything else to context.log().
#pragma once

#include "apps/cli/context.h"

#include <memory>

namespace stride {

/// Which of the common options a command takes. --help, --quiet, -v, --json, --config, --set,
/// --print-config, --dry-run and --threads come with every command.
struct CommonOptions {
  bool machine = false;  ///< --device --dtype --tf32
  bool compute = false;  ///< these and --batch --numerics --oom
  bool seeds = false;    ///< --seeds
  bool run = false;      ///< --outdir --resume
  bool saves = false;    ///< none, but it leaves files: the first signal is its to deal with
};

struct CommandInfo {
  std::string name;
  std::string summary;           ///< one line for `stride --help`
  std::string description = {};  ///< a short paragraph for its own --help
  std::string arguments = {};    ///< what may follow the options, e.g. "FILE..."; empty: nothing may
  std::string example;           ///< one worked example, the command line and what it gives
  CommonOptions common = {};
  OptionTable options = {};
  std::string default_seeds = "0-63";
};

class Command {
 public:
  virtual ~Command() = default;
  [[nodiscard]] virtual const CommandInfo& info() const noexcept = 0;
  [[nodiscard]] virtual ExitCode run(Context& context) const = 0;

 protected:
  Command() = default;
  Command(const Command&) = default;
  Command& operator=(const Command&) = default;
};

/// A command's whole table: its own options, then the common ones it takes.
[[nodiscard]] OptionTable full_table(const CommandInfo& info);

/// What `stride COMMAND --help` prints.
[[nodiscard]] std::string command_help(const CommandInfo& info, int width);

}  // namespace stride
