// A solver held to what it claims, and to what must hold of all.
#pragma once

#include "solvers/checks/properties.h"

#include <functional>
#include <string>
#include <vector>

namespace stride {

struct CheckedClaim {
  std::string name;    ///< "order", "purity", …
  bool holds = false;  ///< false also where there is no claim and `seen` says so
  bool applies = true;
  std::string seen;  ///< what was measured, or what went wrong
};

/// Orders, the number of evaluations, purity, independence of the batch, NaN, dtypes and noise. `before` hears the name
/// of each check before it runs, and may throw. What the solver itself throws comes through.
[[nodiscard]] std::vector<CheckedClaim> check_solver(const Solver& solver, const PropertyRun& run = {},
                                                     const std::function<void(const std::string&)>& before = {});

}  // namespace stride
