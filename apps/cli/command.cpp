#include "apps/cli/command.h"

#include "evaluation/text_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>

namespace stride {

namespace {

OptionTable common_table(const CommandInfo& info) {
  OptionTable table;
  const char* running = "Running";
  if (info.common.seeds) {
    table.push_back({.name = "seeds",
                     .fallback = info.default_seeds,
                     .value = "LIST",
                     .help = "samples to draw; a sample's id is its seed, e.g. 0-63,100",
                     .group = running,
                     .key = "run.seeds"});
  }
  if (info.common.compute || info.common.machine) {
    table = table + OptionTable{{.name = "device",
                                 .fallback = "auto",
                                 .value = "DEVICE",
                                 .help = "cpu, cuda or cuda:N; auto takes a GPU where there is one",
                                 .group = running,
                                 .key = "run.device",
                                 .may_change = true},
                                {.name = "dtype",
                                 .fallback = "float32",
                                 .value = "TYPE",
                                 .help = "of the data; time is always float64",
                                 .group = running,
                                 .key = "run.dtype",
                                 .choices = {"float64", "float32", "bfloat16", "float16"}},
                                {.name = "tf32",
                                 .kind = ValueKind::flag,
                                 .help = "let CUDA round matrix products to TF32",
                                 .group = running,
                                 .key = "run.tf32"}};
  }
  if (info.common.compute) {
    table = table + OptionTable{{.name = "batch",
                                 .kind = ValueKind::integer,
                                 .fallback = "256",
                                 .value = "N",
                                 .help = "samples run together",
                                 .group = running,
                                 .key = "run.batch",
                                 .may_change = true},
                                {.name = "numerics",
                                 .fallback = "fast",
                                 .value = "MODE",
                                 .help = "fast, or exact: bits do not depend on --batch (padded micro-batches)",
                                 .group = running,
                                 .key = "run.numerics",
                                 .choices = {"fast", "exact"}},
                                {.name = "oom",
                                 .fallback = "fail",
                                 .value = "MODE",
                                 .help = "out of memory: fail, or backoff: halve the batch and go on",
                                 .group = running,
                                 .key = "run.oom",
                                 .choices = {"fail", "backoff"},
                                 .may_change = true}};
  }
  table.push_back({.name = "threads",
                   .kind = ValueKind::integer,
                   .fallback = "0",
                   .value = "N",
                   .help = "CPU threads; 0: one a core",
                   .group = running,
                   .key = "run.threads",
                   .may_change = true});
  if (info.common.run) {
    table = table +
            OptionTable{
                {.name = "outdir",
                 .value = "DIR",
                 .help = "the run folder (default: a new one under runs/)",
                 .group = "Run folder",
                 .writes = Writes::new_folder},
                {.name = "resume", .value = "DIR", .help = "continue the run in this folder", .group = "Run folder"}};
  }
  const char* group = "Common";
  return table +
         OptionTable{
             {.name = "config", .value = "FILE", .help = "settings from a TOML or JSON file", .group = group},
             {.name = "set",
              .value = "KEY=VALUE",
              .help = "one setting by its key, e.g. run.batch=16",
              .group = group,
              .repeatable = true},
             {.name = "print-config",
              .kind = ValueKind::flag,
              .help = "print all settings as TOML and stop",
              .group = group},
             {.name = "dry-run",
              .kind = ValueKind::flag,
              .help = "check everything, print the plan, touch nothing",
              .group = group},
             {.name = "json", .kind = ValueKind::flag, .help = "print one JSON object", .group = group},
             {.name = "quiet",
              .kind = ValueKind::flag,
              .help = "only warnings and errors on standard error",
              .group = group,
              .letter = 'q'},
             {.name = "verbose", .kind = ValueKind::flag, .help = "more messages", .group = group, .letter = 'v'},
             {.name = "help", .kind = ValueKind::flag, .help = "print this", .group = group, .letter = 'h'}};
}

std::string wrap(const std::string& text, int width, int indent) {
  const std::string between = "\n" + std::string(static_cast<std::size_t>(indent), ' ');
  return fmt::format("{}", fmt::join(wrapped(text, static_cast<std::size_t>(width)), between));
}

std::string left_side(const Option& option) {
  std::string out = option.letter != 0 ? fmt::format("-{}, ", option.letter) : "    ";
  out += "--" + option.name;
  if (option.kind != ValueKind::flag) out += " " + option.value;
  return out;
}

std::string right_side(const Option& option) {
  std::string out = option.help;
  if (!option.choices.empty() && out.find(option.choices.front()) == std::string::npos) {
    std::string all;
    for (const std::string& choice : option.choices) all += (all.empty() ? "" : "|") + choice;
    out += (out.empty() ? "" : ": ") + all;
  }
  if (option.repeatable) out += " (repeatable)";
  if (!option.fallback.empty()) out += " [" + option.fallback + "]";
  return out;
}

}  // namespace

OptionTable full_table(const CommandInfo& info) { return info.options + common_table(info); }

std::string options_help(const OptionTable& table, int width) {
  std::vector<std::string> groups;
  std::size_t column = 0;
  for (const Option& option : table) {
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
    column = std::max(column, std::min<std::size_t>(left_side(option).size(), 26));
  }
  const int indent = static_cast<int>(column) + 4;
  std::string out;
  for (const std::string& group : groups) {
    out += "\n" + group + ":\n";
    for (const Option& option : table) {
      if (option.group != group) continue;
      const std::string left = left_side(option);
      out += "  " + left;
      if (left.size() > column) {
        out += "\n" + std::string(static_cast<std::size_t>(indent), ' ');
      } else {
        out += std::string(column - left.size() + 2, ' ');
      }
      out += wrap(right_side(option), std::max(width - indent, 24), indent) + "\n";
    }
  }
  return out;
}

std::string command_help(const CommandInfo& info, int width) {
  std::string out =
      fmt::format("stride {} [options]{}\n\n", info.name, info.arguments.empty() ? "" : " " + info.arguments);
  out += wrap(info.description.empty() ? info.summary : info.description, width, 0) + "\n";
  out += options_help(full_table(info), width);
  out += "\nExample:\n";
  std::size_t begin = 0;
  while (begin <= info.example.size()) {
    std::size_t end = info.example.find('\n', begin);
    if (end == std::string::npos) end = info.example.size();
    out += "  " + info.example.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return out;
}

}  // namespace stride
