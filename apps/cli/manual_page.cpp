#include "apps/cli/completion.h"
#include "framework/named.h"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace stride {
namespace {

// Text of troff: dashes that can be copied, backslashes that show, no line that is a request.
std::string roff(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (out.empty() || out.back() == '\n') {
      if (c == '.' || c == '\'') out += "\\&";
    }
    if (c == '-') out += '\\';
    out += c == '\\' ? "\\e" : std::string(1, c);
  }
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

std::string heading(const std::string& name, const std::string& version) {
  return fmt::format(".TH {} 1 \"\" \"stride {}\" \"User Commands\"\n", upper(roff(name)), version);
}

std::string exit_status() {
  return R"(.SH EXIT STATUS
0 done, 1 the run failed, 2 wrong option, configuration or argument, 3 an input is missing or damaged, 4 a sample did not
end well or a quality gate failed, 5 out of memory or disk, 6 another run is writing there, 130 and 143 stopped by SIGINT
and SIGTERM with what was finished saved.
)";
}

std::string option_entry(const Option& option) {
  std::string out = ".TP\n";
  if (option.letter != 0) out += fmt::format("\\fB\\-{}\\fR, ", option.letter);
  out += fmt::format("\\fB\\-\\-{}\\fR", roff(option.name));
  if (option.kind != ValueKind::flag) out += fmt::format(" \\fI{}\\fR", roff(option.value));
  out += "\n" + roff(option.help);
  if (!option.choices.empty() && option.help.find(option.choices.front()) == std::string::npos) {
    std::string all;
    for (const std::string& choice : option.choices) all += (all.empty() ? "" : ", ") + choice;
    out += " (" + roff(all) + ")";
  }
  if (option.repeatable) out += "; may be given several times";
  if (!option.fallback.empty()) out += fmt::format(". Default: {}", roff(option.fallback));
  if (!option.key.empty()) out += fmt::format(". Key: {}", roff(option.key));
  return out + ".\n";
}

std::string page_of(const CommandInfo& info, const std::string& version) {
  const std::string name = "stride-" + info.name;
  std::string out = heading(name, version);
  out += fmt::format(".SH NAME\n{} \\- {}\n", roff(name), roff(info.summary));
  out += fmt::format(".SH SYNOPSIS\n\\fBstride {}\\fR [\\fIoptions\\fR]{}\n", roff(info.name),
                     info.arguments.empty() ? "" : " " + roff(info.arguments));
  out += fmt::format(".SH DESCRIPTION\n{}\n.SH OPTIONS\n",
                     roff(info.description.empty() ? info.summary : info.description));
  const OptionTable table = full_table(info);
  std::vector<std::string> groups;
  for (const Option& option : table)
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  for (const std::string& group : groups) {
    out += fmt::format(".SS {}\n", roff(group));
    for (const Option& option : table)
      if (option.group == group) out += option_entry(option);
  }
  out += fmt::format(".SH EXAMPLE\n.nf\n{}\n.fi\n", roff(info.example));
  return out + exit_status() + ".SH SEE ALSO\n\\fBstride\\fR(1)\n";
}

std::string page_of_all(const CommandSet& set, const std::string& version) {
  std::string out = heading("stride", version);
  out += ".SH NAME\nstride \\- diffusion samplers that learn their steps\n";
  out += ".SH SYNOPSIS\n\\fBstride\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n.SH COMMANDS\n";
  for (const CommandInfo& info : set.commands)
    out += fmt::format(".TP\n\\fBstride\\-{}\\fR(1)\n{}\n", roff(info.name), roff(info.summary));
  return out + exit_status();
}

}  // namespace

std::string manual_page(const std::string& command, const CommandSet& set, const std::string& version) {
  if (command.empty()) return page_of_all(set, version);
  std::vector<std::string> names;
  for (const CommandInfo& info : set.commands) {
    if (info.name == command) return page_of(info, version);
    names.push_back(info.name);
  }
  throw unknown_name("command", command, names, names);
}

}  // namespace stride
