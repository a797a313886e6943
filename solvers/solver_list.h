// Declares the two functions of every solver in solvers.def. For solvers' own files and the registry.
#pragma once

#include "framework/solver.h"
#include "solvers/registry.h"

#include <memory>

namespace stride {

#define STRIDE_SOLVER(name)            \
  const SolverTraits& traits_##name(); \
  std::unique_ptr<Solver> make_##name(SolverOptions& options);
#include "solvers/solvers.def"
#undef STRIDE_SOLVER

/// Evaluations of a method that calls the denoiser `a_step` times a step and once in the last jump.
[[nodiscard]] inline std::function<int64_t(int64_t, bool)> evaluations(int64_t a_step) {
  return [a_step](int64_t steps, bool final_zero) { return final_zero ? a_step * (steps - 1) + 1 : a_step * steps; };
}

}  // namespace stride
