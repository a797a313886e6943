// Which rows of a table are best, and which cannot be told from them.
#pragma once

#include "evaluation/evaluation_result.h"

#include <set>
#include <string>
#include <vector>

namespace stride {

struct Winners {
  const SamplerResult* best = nullptr;   ///< the best value; none: no row has one
  std::set<const SamplerResult*> level;  ///< other rows whose intervals reach that of the best
  bool intervals = false;                ///< false: nothing says how sure the values are, so that none is marked
  /// The best, where no other interval reaches its own.
  [[nodiscard]] const SamplerResult* alone() const { return intervals && level.empty() ? best : nullptr; }
  /// Whether the row is one of several that cannot be told from the best.
  [[nodiscard]] bool tied(const SamplerResult& row) const {
    return intervals && !level.empty() && (&row == best || level.contains(&row));
  }
};

/// By the metric's own values among all of `rows`. Rows without the metric, or with NaN, take no part.
[[nodiscard]] Winners winners(const std::vector<const SamplerResult*>& rows, const std::string& metric);

}  // namespace stride
