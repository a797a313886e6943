#include "pipeline/toml_entries.h"

#include "framework/error.h"
#include "framework/files/printable.h"

#include <fmt/format.h>

namespace stride {
namespace {

std::optional<ConfigValue> scalar(const toml::node& node) {
  if (const auto* text = node.as_string()) return ConfigValue{ValueKind::text, text->get()};
  if (const auto* number = node.as_integer()) return ConfigValue{ValueKind::integer, std::to_string(number->get())};
  if (const auto* number = node.as_floating_point())
    return ConfigValue{ValueKind::number, fmt::format("{}", number->get())};
  if (const auto* flag = node.as_boolean()) return ConfigValue{ValueKind::flag, flag->get() ? "true" : "false"};
  return std::nullopt;
}

ConfigValue need_scalar(const toml::node& node, const std::string& key, const std::string& where) {
  auto found = scalar(node);
  if (!found)
    throw UsageError(
        fmt::format("{}: {} holds something that is no option value", where, printable(key, Lines::escaped)));
  return *std::move(found);
}

}  // namespace

void append_entries(const toml::table& table, const std::string& prefix, const std::string& where,
                    std::vector<ConfigEntry>& out) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const auto* inner = node.as_table()) {
      append_entries(*inner, key + ".", where, out);
    } else if (const auto* array = node.as_array()) {
      ConfigEntry entry{key, {}, true};
      for (const auto& element : *array) entry.values.push_back(need_scalar(element, key, where));
      out.push_back(std::move(entry));
    } else {
      out.push_back({key, {need_scalar(node, key, where)}, false});
    }
  }
}

}  // namespace stride
