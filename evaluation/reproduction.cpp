#include "evaluation/reproduction.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/json_text.h"
#include "pipeline/run_folder.h"

#include <algorithm>
#include <set>
#include <sstream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

bool is_result(const std::string& name) {
  static const std::set<std::string> about = {"command.txt", "config.toml",   "manifest.json",
                                              "log.ndjson",  "metrics.jsonl", "report.html"};
  return !about.contains(name) && !name.starts_with("tb/");
}

// Of a number that another machine, or another day, gives otherwise; and seals, which hold for bytes with such numbers.
bool is_cost(const std::string& key) {
  return key == "seconds" || key.ends_with("_seconds") || key == "peak_bytes" || key == "time" || key == "xxh3_128" ||
         key == "queue_wait" || key.ends_with("_per_second");
}

std::string without(std::string text, const std::string& folder) {
  for (std::size_t at = text.find(folder); at != std::string::npos; at = text.find(folder, at))
    text.erase(at, folder.size());
  return text;
}

Json without_cost(const Json& value, const std::string& folder) {
  if (value.is_string()) return without(value.get<std::string>(), folder);
  if (value.is_array()) {
    Json out = Json::array();
    for (const Json& each : value) out.push_back(without_cost(each, folder));
    return out;
  }
  if (!value.is_object()) return value;
  Json out = Json::object();
  for (const auto& [key, each] : value.items())
    if (!is_cost(key)) out[key] = without_cost(each, folder);
  return out;
}

// Fields hold no commas where it matters: names that do are quoted, and a comma in them shifts both sides alike.
std::string csv_without_cost(const std::string& text, const std::string& folder) {
  std::istringstream lines(without(text, folder));
  std::string out, line;
  std::vector<bool> kept;
  while (std::getline(lines, line)) {
    std::vector<std::string> fields = {""};
    bool quoted = false;
    for (const char c : line) {
      if (c == '"') quoted = !quoted;
      if (c == ',' && !quoted) {
        fields.emplace_back();
      } else {
        fields.back() += c;
      }
    }
    if (kept.empty())
      for (const std::string& field : fields) kept.push_back(!is_cost(field));
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (i >= kept.size() || kept[i]) out += fields[i] + ",";
    out += "\n";
  }
  return out;
}

std::string comparable(const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name, text = read_file(path);
  if (name.ends_with(".json")) return without_cost(parse_ordered_json_text(text, path), folder).dump();
  if (name.ends_with(".csv")) return csv_without_cost(text, folder);
  return text;
}

Likeness likeness_of(const std::string& first, const std::string& second, const std::string& name) {
  if (!file_exists(second + "/" + name)) return Likeness::missing;
  if (xxh3_128_file(first + "/" + name) == xxh3_128_file(second + "/" + name)) return Likeness::same;
  const bool readable = name.ends_with(".json") || name.ends_with(".csv");
  return readable && comparable(first, name) == comparable(second, name) ? Likeness::same_but_cost : Likeness::differs;
}

RunEnd whole(const std::string& folder) {
  auto end = run_end(folder);
  if (!end) throw InputError(fmt::format("{}: this run has not ended: there is no DONE", folder));
  const auto damage = run_damage(folder, *end);
  if (!damage.empty()) throw InputError(fmt::format("{}: {}", folder, damage.front()));
  return *std::move(end);
}

}  // namespace

const char* to_string(Likeness likeness) noexcept {
  switch (likeness) {
    case Likeness::same:
      return "the same bits";
    case Likeness::same_but_cost:
      return "the same but for times";
    case Likeness::differs:
      return "differs";
    case Likeness::missing:
      return "missing";
  }
  return "";
}

std::vector<FileLikeness> compare_runs(const std::string& first, const std::string& second) {
  const RunEnd end = whole(first);
  (void)whole(second);
  std::vector<FileLikeness> out;
  for (const auto& [name, sum] : end.files)
    if (is_result(name)) out.push_back({name, likeness_of(first, second, name)});
  for (const auto& [store, seeds] : end.stores) {
    for (const std::string& name : list_folder(first + "/" + store)) {
      if (name.ends_with(".h5")) out.push_back({store + "/" + name, likeness_of(first, second, store + "/" + name)});
    }
  }
  return out;
}

}  // namespace stride
