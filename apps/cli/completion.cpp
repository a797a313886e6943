#include "apps/cli/completion.h"

#include "framework/named.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

// Between single quotes of a shell.
std::string in_quotes(const std::string& text) { return "'" + replaced(text, "'", "'\\''") + "'"; }

// The words that may follow an option; none: a file, or anything.
std::vector<std::string> words_of(const Option& option, const CommandSet& set) {
  if (!option.choices.empty()) return option.choices;
  const auto found = set.values.find(option.name);
  return found == set.values.end() ? std::vector<std::string>{} : found->second;
}

bool names_file(const Option& option) {
  const auto has = [&](const char* word) { return option.value.find(word) != std::string::npos; };
  return option.writes != Writes::nothing || has("FILE") || has("DIR") || has("CARD") || has("PATH");
}

bool is_flag(const Option& option) { return option.kind == ValueKind::flag; }

std::string bash(const CommandSet& set) {
  std::string commands, options, values;
  for (const CommandInfo& info : set.commands) {
    commands += (commands.empty() ? "" : " ") + info.name;
    std::string names;
    for (const Option& option : full_table(info)) {
      names += " --" + option.name;
      const std::vector<std::string> words = words_of(option, set);
      if (is_flag(option) || (words.empty() && !names_file(option))) {
        // A value that nobody can guess: nothing is offered for it.
        if (!is_flag(option)) values += fmt::format("    '{} --{}') return ;;\n", info.name, option.name);
        continue;
      }
      values +=
          fmt::format("    '{} --{}') COMPREPLY=($(compgen {} -- \"$word\")); return ;;\n", info.name, option.name,
                      words.empty() ? "-f" : fmt::format("-W {}", in_quotes(fmt::format("{}", fmt::join(words, " ")))));
    }
    options +=
        fmt::format("    {}) COMPREPLY=($(compgen -W {} -- \"$word\")) ;;\n", info.name, in_quotes(names.substr(1)));
  }
  return fmt::format(R"(# Completion of stride in bash.
_stride() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{COMP_WORDS[1]}}
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$word"))
    return
  fi
  case "$command $before" in
{}  esac
  if [[ $word != -* ]]; then
    COMPREPLY=($(compgen -f -- "$word"))
    return
  fi
  case $command in
{}  esac
}}
complete -o filenames -F _stride stride
)",
                     commands, values, options);
}

// In the brackets of _arguments.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh(const CommandSet& set) {
  std::string commands, cases;
  for (const CommandInfo& info : set.commands) {
    commands += "    " + in_quotes(info.name + ":" + replaced(info.summary, ":", "\\:")) + "\n";
    cases += fmt::format("    {})\n      _arguments", info.name);
    for (const Option& option : full_table(info)) {
      std::string spec = fmt::format("{}--{}[{}]", option.repeatable ? "*" : "", option.name, zsh_text(option.help));
      if (!is_flag(option)) {
        const std::vector<std::string> words = words_of(option, set);
        std::vector<std::string> safe;
        for (const std::string& word : words) safe.push_back(replaced(zsh_text(word), " ", "\\ "));
        spec += fmt::format(":{}:{}", zsh_text(option.value),
                            !safe.empty()        ? fmt::format("({})", fmt::join(safe, " "))
                            : names_file(option) ? "_files"
                                                 : " ");
      }
      cases += " \\\n        " + in_quotes(spec);
    }
    cases += " \\\n        '*:file:_files'\n      ;;\n";
  }
  return fmt::format(R"(#compdef stride
# Completion of stride in zsh.
_stride() {{
  local -a commands
  commands=(
{}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{}  esac
}}
if [ "$funcstack[1]" = _stride ]; then _stride "$@"; else compdef _stride stride; fi
)",
                     commands, cases);
}

std::string fish(const CommandSet& set) {
  std::string out = "# Completion of stride in fish.\ncomplete -c stride -f\n";
  for (const CommandInfo& info : set.commands)
    out += fmt::format("complete -c stride -n __fish_use_subcommand -a {} -d {}\n", info.name, in_quotes(info.summary));
  for (const CommandInfo& info : set.commands) {
    const std::string here = fmt::format("complete -c stride -n '__fish_seen_subcommand_from {}'", info.name);
    if (!info.arguments.empty()) out += here + " -F\n";
    for (const Option& option : full_table(info)) {
      out += fmt::format("{} -l {}", here, option.name);
      if (option.letter != 0) out += fmt::format(" -s {}", option.letter);
      const std::vector<std::string> words = words_of(option, set);
      if (!is_flag(option)) out += words.empty() && names_file(option) ? " -r -F" : " -x";
      if (!words.empty()) out += " -a " + in_quotes(fmt::format("{}", fmt::join(words, " ")));
      out += " -d " + in_quotes(option.help) + "\n";
    }
  }
  return out;
}

}  // namespace

const std::vector<std::string>& completion_shells() {
  static const std::vector<std::string> kShells = {"bash", "zsh", "fish"};
  return kShells;
}

std::string completion_script(const std::string& shell, const CommandSet& set) {
  if (shell == "bash") return bash(set);
  if (shell == "zsh") return zsh(set);
  if (shell == "fish") return fish(set);
  throw unknown_name("shell", shell, completion_shells(), completion_shells());
}

}  // namespace stride
