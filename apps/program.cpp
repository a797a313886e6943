// Parses, runs, and turns whatever happens into an exit code: the only place that catches.
#include "apps/program.h"

#include "apps/cli/build_info.h"
#include "apps/cli/flag_names.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/outputs.h"
#include "apps/cli/streams.h"
#include "apps/commands/commands.h"
#include "framework/files/file.h"
#include "framework/named.h"
#include "framework/out_of_memory.h"
#include "framework/stopped.h"
#include "pipeline/run_folder.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>
#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <set>

namespace stride {
namespace {

using Words = std::vector<std::string>;

int help_width() { return std::clamp(terminal_width(STDOUT_FILENO, 100), 60, 120); }

std::string program_help(const std::vector<std::unique_ptr<Command>>& commands) {
  std::string out = "stride: diffusion samplers that learn their steps\n\nstride COMMAND [options]\n\nCommands:\n";
  std::size_t width = 0;
  for (const auto& command : commands) width = std::max(width, command->info().name.size());
  for (const auto& command : commands) {
    out += fmt::format("  {:{}}  {}\n", command->info().name, width, command->info().summary);
  }
  return out +
         "\n  stride COMMAND --help   its options, with an example\n"
         "  stride --version        the version\n\n"
         "Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 run failed,\n"
         "2 usage, 3 bad input, 4 non-finite sample or failed gate, 5 out of memory or disk, 6 locked,\n"
         "130/143 stopped by SIGINT/SIGTERM with what was finished saved.\n";
}

const Command& find_command(const std::vector<std::unique_ptr<Command>>& commands, const std::string& name) {
  Words names;
  for (const auto& command : commands) {
    if (command->info().name == name) return *command;
    names.push_back(command->info().name);
  }
  if (name.starts_with("-")) names = {"--help", "--version"};
  throw unknown_name(name.starts_with("-") ? "option" : "command", name, names, names);
}

OptionValues settled(const CommandInfo& info, const Words& words, const OptionValues& typed) {
  OptionValues values(full_table(info));
  if (typed.has("config")) {
    apply_config(values, read_config(typed.text("config")), info.name);
  }
  for (const std::string& assignment : typed.list("set")) apply_set(values, assignment);
  apply_command_line(values, words);
  return values;
}

// The settings of the run in --resume DIR; what the user gives again must not disagree.
OptionValues resumed(const CommandInfo& info, const Words& words, const OptionValues& typed) {
  const std::string path = typed.text("resume");
  for (const char* name : {"config", "outdir"}) {
    if (typed.has(name)) throw UsageError(fmt::format("--resume and --{} exclude each other", name));
  }
  OptionValues first(full_table(info));
  apply_config(first, parse_config(run_config(path), path + "/config.toml"), info.name);
  OptionValues values = first;
  for (const std::string& assignment : typed.list("set")) apply_set(values, assignment);
  apply_command_line(values, words);
  for (const Option& option : values.table()) {
    if (option.key.empty() || option.may_change) continue;
    if (values.values(option.name) != first.values(option.name)) {
      throw UsageError(fmt::format(
          "--resume {}: --{} was '{}' in that run and is '{}' now; leave it out, or start a new run", path, option.name,
          fmt::join(first.values(option.name), ","), fmt::join(values.values(option.name), ",")));
    }
  }
  return values;
}

// The options of all commands, by name.
std::set<std::string> option_names() {
  std::set<std::string> names;
  for (const auto& command : make_commands())
    for (const Option& option : full_table(command->info())) names.insert(option.name);
  return names;
}

bool leaves_files(const CommandInfo& info) {
  return info.common.run || info.common.saves || info.arguments.starts_with("OUT ") ||
         std::any_of(info.options.begin(), info.options.end(),
                     [](const Option& option) { return option.writes != Writes::nothing; });
}

ExitCode run_command(const Command& command, const Words& words, std::optional<InterruptGuard>& guard,
                     std::optional<Context>& context) {
  const CommandInfo& info = command.info();
  // What only prints has nothing to save, and ends at once.
  guard.emplace(leaves_files(info) ? OnSignal::remember : OnSignal::leave);
  const Words rest(words.begin() + 1, words.end());
  OptionValues typed(full_table(info));
  apply_command_line(typed, rest);
  if (typed.flag("help")) {
    write_result(command_help(info, help_width()));
    return ExitCode::ok;
  }
  if (info.arguments.empty() && !typed.arguments().empty()) {
    throw UsageError(fmt::format("stride {} takes no argument '{}'; stride {} --help shows its options", info.name,
                                 typed.arguments().front(), info.name));
  }
  OptionValues values =
      info.common.run && typed.has("resume") ? resumed(info, rest, typed) : settled(info, rest, typed);
  if (values.flag("print-config")) {
    write_result(values.to_toml(info.name));
    return ExitCode::ok;
  }
  check_outputs(values);
  std::vector<std::string> replaced;
  std::vector<LockFile> claims;
  if (!values.flag("dry-run")) claims = claim_outputs(values, replaced);
  Words line = {"stride"};
  line.insert(line.end(), words.begin(), words.end());
  context.emplace(info.name, std::move(values), std::move(line));
  for (const std::string& note : context->options().notes()) context->log().info(with_flags(note, option_names()));
  for (const std::string& path : replaced)
    context->log().warning(fmt::format("{} is there already and will be replaced", path));
  try {
    return command.run(*context);
  } catch (const Stopped&) {
    return context->stopped("nothing more was saved");
  }
}

ExitCode dispatch(const Words& words, std::optional<InterruptGuard>& guard, std::optional<Context>& context) {
  const auto commands = make_commands();
  if (words.empty()) {
    write_message(program_help(commands));
    return ExitCode::usage;
  }
  const std::string& first = words.front();
  if (first == "--version") {
    write_result(fmt::format("stride {}\n", stride_version()));
    return ExitCode::ok;
  }
  if (first == "help" && words.size() > 1) {
    write_result(command_help(find_command(commands, words[1]).info(), help_width()));
    return ExitCode::ok;
  }
  if (first == "--help" || first == "-h" || first == "help") {
    write_result(program_help(commands));
    return ExitCode::ok;
  }
  return run_command(find_command(commands, first), words, guard, context);
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// What is large in a run that found no memory, by the options that say so.
std::string memory_advice(const std::optional<Context>& context) {
  struct Size {
    const char* option;
    int64_t usual;
  };
  constexpr Size kSizes[] = {{"steps", 1000}, {"nfe", 1000}, {"jumps", 100}, {"minibatch", 1024}, {"fit-rows", 4096}};
  std::vector<std::string> large;
  if (context) {
    const OptionValues& options = context->options();
    const auto seeds = static_cast<int64_t>(context->seeds().size());
    if (seeds > 100'000) large.push_back(fmt::format("fewer --seeds than {}", seeds));
    for (const auto& [option, usual] : kSizes) {
      if (!options.has(option)) continue;
      for (const std::string& text : options.values(option)) {
        int64_t value = 0;
        const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
        if (end.ec == std::errc() && value > usual)
          large.push_back(fmt::format("a smaller --{} than {}", option, value));
      }
    }
    const int64_t batch = std::min(context->batch(), std::max<int64_t>(seeds, 1));
    if (batch > 1) large.push_back(fmt::format("a smaller --batch than {}", batch));
    if (options.knows("oom") && options.text("oom") != "backoff") large.emplace_back("--oom backoff");
  }
  if (large.empty()) return "out of memory";
  return fmt::format("out of memory; try {}", fmt::join(large, ", or "));
}

int report(std::optional<Context>& context, ExitCode code, const std::string& message) {
  if (context) {
    context->log().error(message);
  } else {
    Logger(LogLevel::info, colour_on_stderr()).error(message);
  }
  return static_cast<int>(code);
}

}  // namespace

int run_program(const Words& words) {
  std::optional<InterruptGuard> guard;  // until the files of the run are closed
  std::optional<Context> context;
  try {
    const ExitCode code = dispatch(words, guard, context);
    if (!results_written()) throw ResourceError("standard output could not be written: disk full, or closed");
    return static_cast<int>(code);
  } catch (const Error& error) {
    return report(context, exit_code(error.kind()), with_flags(error.what(), option_names()));
  } catch (const c10::OutOfMemoryError& error) {  // it says how much
    return report(context, ExitCode::resources,
                  fmt::format("{} ({})", memory_advice(context), first_line(error.what_without_backtrace())));
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) return report(context, ExitCode::resources, memory_advice(context));
    const auto* const torch = dynamic_cast<const c10::Error*>(&error);
    return report(context, ExitCode::run_failed,
                  first_line(torch != nullptr ? torch->what_without_backtrace() : error.what()));
  }
}

}  // namespace stride
