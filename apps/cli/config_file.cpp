// --config and --set: TOML or JSON text into option values.
#include "apps/cli/option_table.h"
#include "framework/error.h"
#include "framework/files/json_text.h"
#include "framework/spec.h"
#include "pipeline/familiar/familiar_config.h"
#include "pipeline/toml_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

namespace stride {
namespace {

struct Scalar {
  std::optional<ValueKind> kind;  ///< none: whatever the option's is
  std::string text;
};
struct Entry {
  std::string key;
  std::vector<Scalar> values;
  bool array = false;
};

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

std::optional<Scalar> scalar(const toml::node& node) {
  if (const auto* text = node.as_string()) return Scalar{ValueKind::text, text->get()};
  if (const auto* number = node.as_integer()) return Scalar{ValueKind::integer, std::to_string(number->get())};
  if (const auto* number = node.as_floating_point()) return Scalar{ValueKind::number, fmt::format("{}", number->get())};
  if (const auto* flag = node.as_boolean()) return Scalar{ValueKind::flag, flag->get() ? "true" : "false"};
  return std::nullopt;
}

std::optional<Scalar> scalar(const nlohmann::json& node) {
  if (node.is_string()) return Scalar{ValueKind::text, node.get<std::string>()};
  if (node.is_number_unsigned()) return Scalar{ValueKind::integer, std::to_string(node.get<uint64_t>())};
  if (node.is_number_integer()) return Scalar{ValueKind::integer, std::to_string(node.get<int64_t>())};
  if (node.is_number()) return Scalar{ValueKind::number, fmt::format("{}", node.get<double>())};
  if (node.is_boolean()) return Scalar{ValueKind::flag, node.get<bool>() ? "true" : "false"};
  return std::nullopt;
}

template <class Node>
Scalar need_scalar(const Node& node, const std::string& key, const std::string& where) {
  auto found = scalar(node);
  if (!found) throw UsageError(fmt::format("{}: {} holds something that is no option value", where, key));
  return *std::move(found);
}

void flatten(const toml::table& table, const std::string& prefix, const std::string& where, std::vector<Entry>& out) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const auto* inner = node.as_table()) {
      flatten(*inner, key + ".", where, out);
    } else if (const auto* array = node.as_array()) {
      Entry entry{key, {}, true};
      for (const auto& element : *array) entry.values.push_back(need_scalar(element, key, where));
      out.push_back(std::move(entry));
    } else {
      out.push_back({key, {need_scalar(node, key, where)}, false});
    }
  }
}

void flatten(const nlohmann::json& table, const std::string& prefix, const std::string& where,
             std::vector<Entry>& out) {
  for (const auto& [name, node] : table.items()) {
    const std::string key = prefix + name;
    if (node.is_object()) {
      flatten(node, key + ".", where, out);
    } else if (node.is_array()) {
      Entry entry{key, {}, true};
      for (const auto& element : node) entry.values.push_back(need_scalar(element, key, where));
      out.push_back(std::move(entry));
    } else if (node.is_null()) {
      out.push_back({key, {}, false});
    } else {
      out.push_back({key, {need_scalar(node, key, where)}, false});
    }
  }
}

// Python writes Infinity and NaN, which JSON does not have: words, outside of strings.
std::string with_infinities_quoted(const std::string& text) {
  std::string out;
  bool inside = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto word = [&](const char* theirs, const char* ours) {
      if (inside || text.compare(at, std::string(theirs).size(), theirs) != 0) return false;
      out += ours;
      at += std::string(theirs).size() - 1;
      return true;
    };
    if (word("-Infinity", "\"-inf\"") || word("Infinity", "\"inf\"") || word("NaN", "\"nan\"")) continue;
    out += text[at];
    if (inside && text[at] == '\\' && at + 1 < text.size())
      out += text[++at];
    else if (text[at] == '"')
      inside = !inside;
  }
  return out;
}

std::vector<Entry> parse_toml(const std::string& text, const std::string& where) {
  std::vector<Entry> out;
  flatten(parse_toml_text(text, where), "", where, out);
  return out;
}

std::vector<Entry> parse_json(const std::string& text, const std::string& where) {
  std::vector<Entry> out;
  flatten(parse_json_text(with_infinities_quoted(text), where), "", where, out);
  return out;
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

std::string typed(const Option& option, const Scalar& value, const std::string& where) {
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

// Another project's configuration: its settings under Stride's keys, typed by the option table alone, and its notes.
// Bounds on predictions are for commands that make any.
std::vector<Entry> in_own_words(const std::vector<Entry>& entries, const std::string& where, OptionValues& values) {
  std::map<std::string, std::string> given;
  for (const Entry& entry : entries) {
    std::vector<std::string> texts;
    for (const Scalar& value : entry.values) texts.push_back(value.text);
    const std::string text = fmt::format("{}", fmt::join(texts, ", "));
    if (entry.array)
      given.emplace(entry.key, "[" + text + "]");
    else if (!texts.empty())
      given.emplace(entry.key, text);
  }
  if (!is_familiar(given)) return entries;
  const FamiliarSettings settings = familiar_settings(std::move(given), where);
  for (const std::string& note : settings.notes) values.note(note);
  std::vector<Entry> out;
  for (const auto& [field, text] : settings.fields) {
    if ((field == "clip" || field == "threshold") && !values.knows(field)) continue;
    out.push_back({key_of_field(values, field), {{{}, text}}, false});
  }
  for (const auto& [key, text] : settings.own) out.push_back({key, {{{}, text}}, false});
  return out;
}

void apply(OptionValues& values, const Entry& entry, ValueSource source, const std::string& where) {
  const Option& option = option_of_key(values, entry.key, where);
  if (entry.array && !option.repeatable) {
    throw UsageError(fmt::format("{}: {} takes one value, not a list", where, entry.key));
  }
  std::vector<std::string> texts;
  for (const Scalar& value : entry.values) texts.push_back(typed(option, value, where));
  if (texts.empty() && !entry.array)
    throw UsageError(fmt::format("{}: {} holds null, which is no option value; leave it out", where, entry.key));
  values.set(option.name, std::move(texts), source, where + ": " + entry.key);
}

}  // namespace

void apply_config(OptionValues& values, const std::string& file, const std::string& where, const std::string& command) {
  constexpr const char* kByteOrderMark = "\xEF\xBB\xBF";
  const std::string text = file.starts_with(kByteOrderMark) ? file.substr(3) : file;
  const auto first = text.find_first_not_of(" \t\r\n");
  const bool json = first != std::string::npos && text[first] == '{';
  for (const Entry& entry : in_own_words(json ? parse_json(text, where) : parse_toml(text, where), where, values)) {
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
    for (const Entry& entry : parse_toml("value = " + text, where)) {
      apply(values, {key, entry.values, entry.array}, ValueSource::set, where);
    }
    return;
  }
  values.set(option.name, {text}, ValueSource::set, where);
}

}  // namespace stride
