// All samplers by name.
#pragma once

#include "framework/solver.h"
#include "framework/spec.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// Canonical names, sorted.
[[nodiscard]] const std::vector<std::string>& solver_names();

/// The default traits of a solver by name or alias; throws UsageError on an unknown name.
[[nodiscard]] const SolverTraits& solver_traits(const std::string& name);

/// Builds `name:options`; aliases are accepted, case and the difference between space, '-' and '_' are
/// not looked at. Throws UsageError on an unknown name ("did you mean") or option.
[[nodiscard]] std::unique_ptr<Solver> make_solver(const Spec& spec);
[[nodiscard]] std::unique_ptr<Solver> make_solver(const std::string& text);

}  // namespace stride
