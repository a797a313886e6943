// Reading a scheduler's configuration, so that no setting is lost on the way.
#pragma once

#include "framework/error.h"
#include "framework/spec.h"
#include "pipeline/familiar/diffusers_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// The settings of one class while they are read: one that nobody asked for by the end has no counterpart here. `where`
/// names the file in messages.
class SchedulerSettings final {
 public:
  SchedulerSettings(const DiffusersClass& of, std::map<std::string, std::string> given, std::string where)
      : class_(of), given_(std::move(given)), where_(std::move(where)) {}

  [[nodiscard]] bool has(const std::string& key) const { return class_.defaults.contains(key); }
  /// The setting, or the class's default; "null" where the class has no such setting.
  const std::string& text(const std::string& key) {
    static const std::string none = "null";
    asked_.insert(key);
    if (const auto found = given_.find(key); found != given_.end() && has(key)) return found->second;
    const auto fallback = class_.defaults.find(key);
    return fallback == class_.defaults.end() ? none : fallback->second;
  }
  bool flag(const std::string& key) {
    const std::string& value = text(key);
    if (value == "true" || value == "false" || value == "null") return value == "true";
    throw UsageError(fmt::format("{}: {} is true or false, not '{}'", where_, key, value));
  }
  double number(const std::string& key) {
    const std::string& value = text(key);
    if (value == "inf" || value == "-inf") return value == "inf" ? INFINITY : -INFINITY;
    return parse_number(value, where_ + ": " + key);
  }
  bool null(const std::string& key) { return text(key) == "null"; }
  /// Throws that `key` has no counterpart; `instead` says what to do.
  [[noreturn]] void refuse(const std::string& key, const std::string& instead) {
    throw UsageError(
        fmt::format("{}: {} {} of {} has no counterpart here: {}", where_, key, text(key), class_.name, instead));
  }
  /// The one of `words` that the setting is.
  const std::string& word(const std::string& key, const std::vector<std::string>& words) {
    const std::string& value = text(key);
    if (std::find(words.begin(), words.end(), value) == words.end())
      refuse(key, fmt::format("there is {}", fmt::join(words, ", ")));
    return value;
  }

  /// Settings of the class that were given, say something else than its default, and that nobody asked for.
  void require_all_read() {
    for (const auto& [key, value] : given_) {
      if (!has(key) || asked_.contains(key) || value == class_.defaults.at(key)) continue;
      throw UsageError(fmt::format("{}: {} {} of {} has no counterpart here; leave it out to run without it", where_,
                                   key, value, class_.name));
    }
  }
  /// What the class has no setting for.
  [[nodiscard]] std::map<std::string, std::string> others() const {
    std::map<std::string, std::string> out;
    for (const auto& [key, value] : given_)
      if (!has(key) && !key.starts_with("_")) out.emplace(key, value);
    return out;
  }
  [[nodiscard]] bool gives(const std::string& key) const { return given_.contains(key) && has(key); }
  std::string take_other(const std::string& key) {
    if (has(key)) return "";
    const auto node = given_.extract(key);
    return node.empty() ? "" : node.mapped();
  }
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  [[nodiscard]] const std::string& name() const noexcept { return class_.name; }

 private:
  const DiffusersClass& class_;
  std::map<std::string, std::string> given_;
  std::string where_;
  std::set<std::string> asked_ = {};
};

}  // namespace stride
