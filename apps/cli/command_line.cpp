// Boost.Program_options behind the option table.
#include "apps/cli/option_table.h"
#include "framework/error.h"
#include "framework/spec.h"

#include <fmt/format.h>
#include <boost/program_options.hpp>

namespace stride {
namespace {

namespace po = boost::program_options;

po::options_description describe(const OptionTable& table) {
  po::options_description out;
  for (const Option& option : table) {
    const std::string names = option.letter != 0 ? option.name + "," + option.letter : option.name;
    if (option.kind == ValueKind::flag) {
      out.add_options()(names.c_str(), "");
    } else {
      out.add_options()(names.c_str(), po::value<std::vector<std::string>>(), "");
    }
  }
  return out;
}

[[noreturn]] void unknown(const OptionTable& table, std::string name) {
  std::vector<std::string> names;
  for (const Option& option : table) names.push_back(option.name);
  const std::string shown = name;
  while (!name.empty() && name.front() == '-') name.erase(0, 1);
  const std::string guess = nearest(name, names);
  throw UsageError(fmt::format("unknown option {}{}", shown,
                               guess.empty() ? "; --help lists the options" : "; did you mean --" + guess + "?"));
}

}  // namespace

void apply_command_line(OptionValues& values, const std::vector<std::string>& words) {
  const OptionTable table = values.table();
  const po::options_description description = describe(table);
  po::parsed_options parsed(&description);
  try {
    // Abbreviations are guessed by default: a script must not change meaning when an option is added.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    parsed = po::command_line_parser(words).options(description).style(style).run();
  } catch (const po::unknown_option& error) {
    unknown(table, error.get_option_name());
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}; --help lists the options", error.what()));
  }
  std::map<std::string, std::vector<std::string>> found;
  std::vector<std::string> loose;
  for (const auto& option : parsed.options) {
    if (option.string_key.empty()) {
      loose.insert(loose.end(), option.value.begin(), option.value.end());
      continue;
    }
    auto& texts = found[option.string_key];
    texts.insert(texts.end(), option.value.begin(), option.value.end());
  }
  for (const Option& option : table) {
    const auto at = found.find(option.name);
    if (at == found.end()) continue;
    const std::string where = "--" + option.name;
    if (option.kind == ValueKind::flag) {
      values.set(option.name, {"true"}, ValueSource::command_line, where);
    } else {
      values.set(option.name, at->second, ValueSource::command_line, where);
    }
  }
  values.set_arguments(std::move(loose));
}

}  // namespace stride
