// --config and --set: TOML or JSON text into option values.
#include "apps/cli/option_table.h"
#include "framework/error.h"
#include "framework/spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stride {
namespace {

const char* kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::flag:
      return "true or false";
    case ValueKind::integer:
      return "an integer";
    case ValueKind::number:
      return "a number";
    case ValueKind::text:
      return "a string";
  }
  return "";
}

const Option& option_of_key(const OptionValues& values, const std::string& key, const std::string& where) {
  std::vector<std::string> keys;
  for (const Option& option : values.table()) {
    if (!option.key.empty() && option.key == key) return option;
    if (!option.key.empty()) keys.push_back(option.key);
  }
  const std::string guess = nearest(key, keys);
  throw UsageError(
      fmt::format("{}: this command has no setting '{}'{}", where, key,
                  guess.empty() ? "; --print-config shows all of them" : "; did you mean '" + guess + "'?"));
}

std::string typed(const Option& option, const ConfigValue& value, const std::string& where) {
  if (!value.kind) return value.text;
  const bool number_like = value.kind == ValueKind::integer || value.kind == ValueKind::number;
  const bool fits = value.kind == option.kind || (option.kind == ValueKind::number && number_like) ||
                    (option.kind == ValueKind::text && number_like);
  if (!fits) {
    throw UsageError(fmt::format("{}: {} is {}, but '{}' is {}", where, option.key, kind_name(option.kind), value.text,
                                 kind_name(*value.kind)));
  }
  return value.text;
}

// The key of the command's option for a field; where it has none, the key of those that do.
std::string key_of_field(const OptionValues& values, std::string field) {
  const std::string key = (field == "seeds" ? "run." : "sampling.") + field;
  std::replace(field.begin(), field.end(), '_', '-');
  for (const Option& option : values.table())
    if (option.name == field) return option.key;
  return key;
}

// Another project's settings under Stride's keys, typed by the option table alone, and its notes. Commands that draw no
// samples have no use for what is about drawing them; bounds on predictions are for commands that make any.
std::vector<ConfigEntry> in_own_words(const FamiliarSettings& settings, OptionValues& values) {
  static const std::set<std::string> about_samples = {"seeds", "guidance", "strength", "init_scale"};
  for (const std::string& note : settings.notes) values.note(note);
  std::vector<ConfigEntry> out;
  for (const auto& [field, text] : settings.fields) {
    if ((field == "clip" || field == "threshold") && !values.knows(field)) continue;
    if (about_samples.contains(field) && !values.knows("seeds")) continue;
    out.push_back({key_of_field(values, field), {{{}, text}}, false});
  }
  for (const auto& [key, text] : settings.own) out.push_back({key, {{{}, text}}, false});
  return out;
}

void apply(OptionValues& values, const ConfigEntry& entry, ValueSource source, const std::string& where) {
  const Option& option = option_of_key(values, entry.key, where);
  if (entry.array && !option.repeatable) {
    throw UsageError(fmt::format("{}: {} takes one value, not a list", where, entry.key));
  }
  std::vector<std::string> texts;
  for (const ConfigValue& value : entry.values) texts.push_back(typed(option, value, where));
  if (texts.empty() && !entry.array)
    throw UsageError(fmt::format("{}: {} holds null, which is no option value; leave it out", where, entry.key));
  values.set(option.name, std::move(texts), source, where + ": " + entry.key);
}

}  // namespace

void apply_config(OptionValues& values, const ConfigDocument& config, const std::string& command) {
  const std::string& where = config.where;
  for (const ConfigEntry& entry : config.familiar ? in_own_words(*config.familiar, values) : config.entries) {
    if (entry.key == "command") {
      if (entry.values.size() != 1 || entry.values[0].text != command) {
        throw UsageError(fmt::format("{} is a configuration of `stride {}`, not of `stride {}`", where,
                                     entry.values.empty() ? "" : entry.values[0].text, command));
      }
      continue;
    }
    apply(values, entry, ValueSource::config, where);
  }
}

void apply_set(OptionValues& values, const std::string& assignment) {
  const auto equals = assignment.find('=');
  const std::string where = "--set " + assignment;
  if (equals == std::string::npos || equals == 0) {
    throw UsageError(fmt::format("{}: write --set key.path=value", where));
  }
  const std::string key = assignment.substr(0, equals);
  const std::string text = assignment.substr(equals + 1);
  const Option& option = option_of_key(values, key, where);
  if (option.repeatable && text.starts_with('[')) {
    for (const ConfigEntry& entry : parse_toml_entries("value = " + text, where)) {
      apply(values, {key, entry.values, entry.array}, ValueSource::set, where);
    }
    return;
  }
  values.set(option.name, {text}, ValueSource::set, where);
}

}  // namespace stride
