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

/// The options of a solver, and what it is built in.
class SolverOptions final : public OptionReader {
 public:
  explicit SolverOptions(const Spec& spec, SolverContext context = {})
      : OptionReader(spec, "solver"), context_(context) {}

  /// Throws UsageError, saying what to give, where the run has no timestep axis.
  [[nodiscard]] const NoiseSchedule& noise_schedule() const;
  [[nodiscard]] const at::Device& device() const noexcept { return context_.device; }

 private:
  SolverContext context_;
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
