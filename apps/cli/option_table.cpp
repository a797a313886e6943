#include "apps/cli/option_table.h"

#include "framework/error.h"
#include "framework/spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>

namespace stride {
namespace {

// Checks `text` against the option's kind and choices and returns it in its canonical form.
std::string canonical(const Option& option, const std::string& text, const std::string& where) {
  switch (option.kind) {
    case ValueKind::flag:
      if (text == "true" || text == "false") return text;
      throw UsageError(fmt::format("{} is true or false, not '{}'", where, text));
    case ValueKind::integer:
      return fmt::format("{}", parse_integer(text, where));
    case ValueKind::number:
      return fmt::format("{}", parse_number(text, where));
    case ValueKind::text:
      break;
  }
  if (!option.choices.empty() &&
      std::find(option.choices.begin(), option.choices.end(), text) == option.choices.end()) {
    throw UsageError(fmt::format("{}: '{}' is not one of {}", where, text, fmt::join(option.choices, ", ")));
  }
  return text;
}

std::string toml_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string toml_value(ValueKind kind, const std::string& text) {
  if (kind == ValueKind::text) return toml_string(text);
  if (kind == ValueKind::number && text.find_first_of(".einf") == std::string::npos) return text + ".0";
  return text;
}

}  // namespace

OptionTable operator+(OptionTable a, const OptionTable& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

OptionValues::OptionValues(OptionTable table) : table_(std::move(table)) {
  for (const Option& option : table_) {
    const auto [at, fresh] = values_.try_emplace(option.name);
    if (!fresh) throw std::logic_error("the option table names --" + option.name + " twice");
    if (option.kind == ValueKind::flag) {
      at->second.values = {"false"};
    } else if (!option.fallback.empty()) {
      at->second.values = {canonical(option, option.fallback, "the default of --" + option.name)};
    }
  }
}

const Option& OptionValues::option(const std::string& name) const {
  const auto found = std::find_if(table_.begin(), table_.end(), [&](const Option& o) { return o.name == name; });
  if (found == table_.end()) throw std::logic_error("no option --" + name + " in this command's table");
  return *found;
}

const OptionValues::Value& OptionValues::value(const std::string& name, ValueKind kind) const {
  const Option& wanted = option(name);
  if (wanted.kind != kind) throw std::logic_error("--" + name + " is of another kind in this command's table");
  const Value& found = values_.at(name);
  if (found.values.empty() && !wanted.repeatable) {
    throw UsageError(fmt::format("--{} is needed: {}", name, wanted.help));
  }
  return found;
}

bool OptionValues::has(const std::string& name) const {
  const auto found = values_.find(name);
  return found != values_.end() && !found->second.values.empty();
}

bool OptionValues::given(const std::string& name) const {
  const auto found = values_.find(name);
  return found != values_.end() && found->second.source != ValueSource::fallback;
}

bool OptionValues::asked(const std::string& name) const {
  if (!given(name)) return false;
  const Value& now = values_.at(name);
  const std::string repeated = option(name).kind == ValueKind::flag ? "false" : option(name).fallback;
  return now.source != ValueSource::config || now.values != std::vector<std::string>{repeated};
}

const std::string& OptionValues::text(const std::string& name) const {
  return value(name, ValueKind::text).values.at(0);
}

std::string OptionValues::text_or(const std::string& name, const std::string& otherwise) const {
  return has(name) ? text(name) : otherwise;
}

int64_t OptionValues::integer(const std::string& name) const {
  return parse_integer(value(name, ValueKind::integer).values.at(0), "--" + name);
}

double OptionValues::number(const std::string& name) const {
  return parse_number(value(name, ValueKind::number).values.at(0), "--" + name);
}

bool OptionValues::flag(const std::string& name) const { return value(name, ValueKind::flag).values.at(0) == "true"; }

const std::vector<std::string>& OptionValues::list(const std::string& name) const {
  if (!option(name).repeatable) throw std::logic_error("--" + name + " is not repeatable in this command's table");
  return values_.at(name).values;
}

void OptionValues::set(const std::string& name, std::vector<std::string> values, ValueSource source,
                       const std::string& where) {
  const Option& wanted = option(name);
  if (!wanted.repeatable && values.size() > 1) {
    throw UsageError(fmt::format("{} was given {} values, but takes one", where, values.size()));
  }
  for (std::string& text : values) text = canonical(wanted, text, where);
  values_[name] = {std::move(values), source};
}

std::string OptionValues::to_toml(const std::string& command) const {
  std::map<std::string, std::string> sections;
  std::vector<std::string> order;
  for (const Option& option : table_) {
    const auto& values = values_.at(option.name).values;
    if (option.key.empty() || values.empty()) continue;
    const auto dot = option.key.rfind('.');
    const std::string section = dot == std::string::npos ? "" : option.key.substr(0, dot);
    if (!sections.contains(section)) order.push_back(section);
    std::string text;
    for (const std::string& value : values) text += (text.empty() ? "" : ", ") + toml_value(option.kind, value);
    if (option.repeatable) text = "[" + text + "]";
    sections[section] += option.key.substr(dot + 1) + " = " + text + "\n";
  }
  std::string out = "command = " + toml_string(command) + "\n" + sections[""];
  for (const std::string& section : order) {
    if (!section.empty()) out += "\n[" + section + "]\n" + sections[section];
  }
  return out;
}

}  // namespace stride
