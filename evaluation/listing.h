// What there is, by kind: solvers, schedules, models, policies and noise schedules, with traits and references.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace stride {

/// How wide the text may be, and whether it says all.
struct ListLayout {
  std::size_t width = 100;
  bool details = false;
};

struct Listing {
  std::string json;  ///< an array with everything, whatever the layout
  std::string text;  ///< a table
};

/// "solvers", "schedules", …
[[nodiscard]] std::vector<std::string> list_names();

/// One of them. Throws UsageError, with the nearest name, on others.
[[nodiscard]] Listing make_listing(const std::string& name, const ListLayout& layout = {});

/// One thing of a kind, by its name or another that it goes by: everything that is known of it. `json` is an object.
/// Throws UsageError, with the nearest name, on others.
[[nodiscard]] Listing make_entry(const std::string& kind, const std::string& name, const ListLayout& layout = {});

}  // namespace stride
