// All samplers by name.
#pragma once

#include "framework/grids/noise_schedule.h"
#include "framework/solver.h"
#include "framework/spec.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// What some solvers need besides their options. References outlive the call, not more.
struct SolverContext {
  /// The timestep axis, for methods whose steps live on it; nullptr: none is known.
  const NoiseSchedule* noise_schedule = nullptr;
  /// Where the run will be: tables of such methods are uploaded once, when the solver is made.
  at::Device device = at::kCPU;
};

/// Canonical names, sorted.
[[nodiscard]] const std::vector<std::string>& solver_names();

/// `name` in lower case, with '_' for space and '-': how names are compared.
[[nodiscard]] std::string folded_name(const std::string& name);

/// The default traits of a solver by name or alias; nullptr where there is none.
[[nodiscard]] const SolverTraits* find_solver(const std::string& name);

/// The same; throws UsageError on an unknown name.
[[nodiscard]] const SolverTraits& solver_traits(const std::string& name);

/// Builds `name:options`; aliases are accepted, case and the difference between space, '-' and '_' are
/// not looked at. Throws UsageError on an unknown name ("did you mean") or option.
[[nodiscard]] std::unique_ptr<Solver> make_solver(const Spec& spec, SolverContext context = {});
[[nodiscard]] std::unique_ptr<Solver> make_solver(const std::string& text, SolverContext context = {});

}  // namespace stride
