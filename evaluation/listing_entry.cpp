#include "evaluation/listing.h"
#include "evaluation/text_table.h"
#include "framework/named.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::json;

std::vector<std::string> other_names(const Json& entry) {
  const char* key = entry.contains("also_called") ? "also_called" : "aliases";
  return entry.contains(key) ? entry.at(key).get<std::vector<std::string>>() : std::vector<std::string>{};
}

// A value of one line; empty: nothing to say.
std::string in_words(const Json& value) {
  if (value.is_null()) return "none";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return fmt::format("{:g}", value.get<double>());
  if (value.is_number()) return value.dump();
  std::vector<std::string> parts;
  if (value.is_array()) {
    for (const Json& each : value) parts.push_back(in_words(each));
    return fmt::format("{}", fmt::join(parts, ", "));
  }
  for (const auto& [key, each] : value.items()) {
    const std::string shown = in_words(each);
    parts.push_back(each.is_object() ? fmt::format("{}: ({})", key, shown) : fmt::format("{} {}", key, shown));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::string options_table(const Json& options, const ListLayout& layout) {
  TextTable table({{"option"}, {"default"}, {"allowed"}, {"what it is"}});
  for (const Json& option : options) {
    const std::string allowed =
        option.at("choices").empty() ? in_words(option.at("allowed")) : in_words(option.at("choices"));
    table.add({option.at("name"), in_words(option.at("default")), allowed, in_words(option.at("summary"))});
  }
  return table.text(layout.width, true);
}

std::string page(const Json& entry, const ListLayout& layout) {
  std::string out = entry.at("name").get<std::string>() + "\n";
  const auto line = [&](const std::string& label, const std::string& text) {
    if (text.empty()) return;
    const auto lines = wrapped(fmt::format("{}: {}", label, text), layout.width - 4);
    out += fmt::format("  {}\n", fmt::join(lines, "\n    "));
  };
  if (entry.contains("summary")) line("what it is", entry.at("summary"));
  line("also called", fmt::format("{}", fmt::join(other_names(entry), ", ")));
  const std::vector<std::string> said = {"name", "summary", "aliases", "also_called", "options", "option_list", "nfe"};
  for (const auto& [key, value] : entry.items()) {
    if (std::find(said.begin(), said.end(), key) != said.end()) continue;
    std::string label = key;
    std::replace(label.begin(), label.end(), '_', ' ');
    line(label, in_words(value));
  }
  if (entry.contains("nfe")) {
    std::map<int, std::string> costs;  // by steps, which are texts in JSON
    for (const auto& [steps, cost] : entry.at("nfe").items()) costs[std::stoi(steps)] = in_words(cost);
    for (const auto& [steps, cost] : costs)
      line(fmt::format("evaluations of {} step{}", steps, steps == 1 ? "" : "s"), cost);
  }
  if (entry.contains("option_list") && !entry.at("option_list").empty())
    out += "\n" + options_table(entry.at("option_list"), layout);
  return out;
}

}  // namespace

Listing make_entry(const std::string& kind, const std::string& name, const ListLayout& layout) {
  std::vector<std::string> names, known;
  for (const Json& entry : Json::parse(make_listing(kind).json)) {
    const std::vector<std::string> others = other_names(entry);
    if (entry.at("name") == name || std::find(others.begin(), others.end(), name) != others.end())
      return {entry.dump(), page(entry, layout)};
    names.push_back(entry.at("name"));
    known.push_back(names.back());
    known.insert(known.end(), others.begin(), others.end());
  }
  throw unknown_name(kind == "policies" ? "policy" : kind.substr(0, kind.size() - 1), name, known, names);
}

}  // namespace stride
