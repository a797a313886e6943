// Tables of things with names: solvers, grids, noise schedules, policies, metrics. One row type, one way to look a name
// up, one answer to a name that nobody knows.
#pragma once

#include "framework/error.h"
#include "framework/options.h"

#include <string>
#include <utility>
#include <vector>

namespace stride {

/// A row: what people read, with at least a name and aliases, and what belongs to the name.
template <class C, class Value>
struct Named {
  C card;
  Value value;
};

/// A row whose value makes something of a Spec: `make` is called with the options that were read and with whatever else
/// the value is called with. The card's options are those of the declarations.
template <class Row, class C, class T, class Make>
[[nodiscard]] Row entry_of(const std::string& what, C card, const Options<T>& options, Make make) {
  card.options = options.infos();
  return {std::move(card), [what, options, make](const Spec& spec, const auto&... context) {
            return make(options.read(spec, what), context...);
          }};
}

/// How names are compared: as they stand.
[[nodiscard]] inline std::string as_it_stands(const std::string& name) { return name; }

/// The row of that name or alias; nullptr where there is none.
template <class Rows, class Fold = std::string (*)(const std::string&)>
[[nodiscard]] auto find_named(const Rows& rows, const std::string& name, Fold fold = as_it_stands) -> const
    typename Rows::value_type* {
  const std::string wanted = fold(name);
  for (const auto& row : rows) {
    if (fold(row.card.name) == wanted) return &row;
    for (const std::string& alias : row.card.aliases)
      if (fold(alias) == wanted) return &row;
  }
  return nullptr;
}

/// Names in their order; `aliases` too.
template <class Rows>
[[nodiscard]] std::vector<std::string> names_of(const Rows& rows, bool aliases = false) {
  std::vector<std::string> out;
  for (const auto& row : rows) {
    out.push_back(row.card.name);
    if (aliases) out.insert(out.end(), row.card.aliases.begin(), row.card.aliases.end());
  }
  return out;
}

/// The cards alone, for lists.
template <class Rows>
[[nodiscard]] auto cards_of(const Rows& rows) {
  std::vector<decltype(Rows::value_type::card)> out;
  for (const auto& row : rows) out.push_back(row.card);
  return out;
}

/// "unknown solver 'huen'; did you mean 'heun'?" with the nearest of `known`; where none is near, with `listed`.
/// `compared`: the name as names are compared, where that is not as it stands.
[[nodiscard]] UsageError unknown_name(const std::string& what, const std::string& name,
                                      const std::vector<std::string>& known, const std::vector<std::string>& listed,
                                      const std::string& compared = {});

/// The row of that name or alias; throws UsageError where there is none.
template <class Rows>
[[nodiscard]] const typename Rows::value_type& named(const std::string& what, const std::string& name,
                                                     const Rows& rows) {
  if (const auto* row = find_named(rows, name)) return *row;
  throw unknown_name(what, name, names_of(rows, true), names_of(rows));
}

}  // namespace stride
