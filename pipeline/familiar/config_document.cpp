#include "pipeline/familiar/config_document.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"
#include "framework/files/printable.h"
#include "pipeline/familiar/comfy_workflow.h"
#include "pipeline/familiar/infotext.h"
#include "pipeline/familiar/png_text.h"
#include "pipeline/toml_entries.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using nlohmann::json;

std::optional<ConfigValue> scalar(const json& node) {
  if (node.is_string()) return ConfigValue{ValueKind::text, node.get<std::string>()};
  if (node.is_number_unsigned()) return ConfigValue{ValueKind::integer, std::to_string(node.get<uint64_t>())};
  if (node.is_number_integer()) return ConfigValue{ValueKind::integer, std::to_string(node.get<int64_t>())};
  if (node.is_number()) return ConfigValue{ValueKind::number, fmt::format("{}", node.get<double>())};
  if (node.is_boolean()) return ConfigValue{ValueKind::flag, node.get<bool>() ? "true" : "false"};
  return std::nullopt;
}

ConfigValue need_scalar(const json& node, const std::string& key, const std::string& where) {
  auto found = scalar(node);
  if (!found)
    throw UsageError(
        fmt::format("{}: {} holds something that is no option value", where, printable(key, Lines::escaped)));
  return *std::move(found);
}

void flatten(const json& table, const std::string& prefix, const std::string& where, std::vector<ConfigEntry>& out) {
  for (const auto& [name, node] : table.items()) {
    const std::string key = prefix + name;
    if (node.is_object()) {
      flatten(node, key + ".", where, out);
    } else if (node.is_array()) {
      ConfigEntry entry{key, {}, true};
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

// Keys and texts for familiar_settings.
std::map<std::string, std::string> as_texts(const std::vector<ConfigEntry>& entries) {
  std::map<std::string, std::string> out;
  for (const ConfigEntry& entry : entries) {
    std::vector<std::string> texts;
    for (const ConfigValue& value : entry.values) texts.push_back(value.text);
    const std::string text = fmt::format("{}", fmt::join(texts, ", "));
    if (entry.array)
      out.emplace(entry.key, "[" + text + "]");
    else if (!texts.empty())
      out.emplace(entry.key, text);
  }
  return out;
}

ConfigDocument of_entries(std::vector<ConfigEntry> entries, const std::string& where) {
  ConfigDocument out;
  out.where = where;
  std::map<std::string, std::string> given = as_texts(entries);
  if (is_familiar(given))
    out.familiar = familiar_settings(std::move(given), where);
  else
    out.entries = std::move(entries);
  return out;
}

// The class of a diffusers pipeline whose index this is; empty: it is none.
std::string pipeline_of(const json& index) {
  if (!index.is_object() || !index.contains("_class_name") || !index["_class_name"].is_string()) return "";
  const std::string name = index["_class_name"];
  const bool lists_parts = index.contains("scheduler") && index["scheduler"].is_array();
  return lists_parts || name.ends_with("Pipeline") ? name : "";
}

ConfigDocument parse_json(const std::string& text, const std::string& where) {
  const json read = parse_json_text(with_infinities_quoted(text), where);
  if (is_comfy_workflow(read)) return {{}, comfy_settings(read, where), where};
  if (!pipeline_of(read).empty())
    throw UsageError(fmt::format(
        "{}: this is a pipeline's list of parts; the scheduler's own file is scheduler/scheduler_config.json", where));
  std::vector<ConfigEntry> entries;
  flatten(read, "", where, entries);
  return of_entries(std::move(entries), where);
}

// A pipeline's folder: its index says who samples and whose rules for flow times hold, the scheduler's file the rest.
ConfigDocument read_pipeline(const std::string& folder, const std::string& index_path, const std::string& index_text) {
  const json index = parse_json_text(with_infinities_quoted(index_text), index_path);
  const std::string path = folder + "/scheduler/scheduler_config.json";
  if (!file_exists(path)) throw InputError(fmt::format("{} has no scheduler: there is no {}", index_path, path));
  std::vector<ConfigEntry> entries;
  flatten(parse_json_text(with_infinities_quoted(read_file(path)), path), "", path, entries);
  entries.push_back({"_pipeline", {{ValueKind::text, pipeline_of(index)}}, false});
  return of_entries(std::move(entries), path);
}

std::string without_mark(const std::string& text) {
  constexpr const char* kByteOrderMark = "\xEF\xBB\xBF";
  return text.starts_with(kByteOrderMark) ? text.substr(3) : text;
}

bool looks_like_json(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string::npos && text[first] == '{';
}

}  // namespace

std::vector<ConfigEntry> parse_toml_entries(const std::string& text, const std::string& where) {
  std::vector<ConfigEntry> out;
  append_entries(parse_toml_text(text, where), "", where, out);
  return out;
}

ConfigDocument parse_config(const std::string& file, const std::string& where) {
  const std::string text = without_mark(file);
  if (looks_like_json(text)) return parse_json(text, where);
  if (is_infotext(text)) return {{}, infotext_settings(text, where), where};
  return of_entries(parse_toml_entries(text, where), where);
}

ConfigDocument read_config(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code none;
  if (fs::is_directory(path, none)) {
    const std::string index = path + "/model_index.json", scheduler = path + "/scheduler_config.json";
    if (file_exists(index)) return read_pipeline(path, index, without_mark(read_file(index)));
    if (file_exists(scheduler)) return parse_config(read_file(scheduler), scheduler);
    throw InputError(fmt::format(
        "{} is a folder without model_index.json or scheduler_config.json, which a diffusers pipeline has", path));
  }
  const std::string bytes = read_file(path);
  if (is_png(bytes)) return parse_config(png_settings_text(bytes, path), path);
  const std::string text = without_mark(bytes);
  if (looks_like_json(text)) {
    const json index = parse_json_text(with_infinities_quoted(text), path);
    if (!is_comfy_workflow(index) && !pipeline_of(index).empty()) {
      const std::string folder = fs::path(path).parent_path().string();
      return read_pipeline(folder.empty() ? "." : folder, path, text);
    }
  }
  return parse_config(text, path);
}

}  // namespace stride
