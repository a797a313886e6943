// Structs of settings from keyword arguments, by their tables (fields.h).
#pragma once

#include "python/bindings/convert.h"
#include "python/bindings/fields.h"

#include "framework/named.h"

#include <string>
#include <vector>

namespace stride {

/// Writes what `given` has of the struct's fields, and takes it out of `given`. None is as good as not given.
template <class Settings>
void take_settings(py::dict& given, Settings& out) {
  Fields<Settings>::visit([&](const char* name, auto member, const char* /*what*/) {
    if (!given.contains(name)) return;
    const auto value = py::reinterpret_steal<py::object>(py::object(given[name]).release());
    PyDict_DelItemString(given.ptr(), name);
    if (!value.is_none()) convert(value, name, out.*member);
  });
}

template <class... Settings>
[[nodiscard]] std::vector<std::string> setting_names() {
  std::vector<std::string> out;
  (Fields<Settings>::visit([&](const char* name, auto, const char*) { out.emplace_back(name); }), ...);
  return out;
}

/// Throws UsageError, with the nearest name, where something is left in `given`.
template <class... Settings>
void require_none_left(const py::dict& given, const std::string& function) {
  for (const auto& [key, value] : given) {
    const std::vector<std::string> known = setting_names<Settings...>();
    throw unknown_name("argument of " + function + "()", py::cast<std::string>(py::str(key)), known, known);
  }
}

}  // namespace stride
