// What the registry-driven suites share: exact flows, grids, and one way to run a solver.
#pragma once

#include "framework/fixed_grid.h"
#include "framework/sample.h"
#include "solvers/checks/checked_run.h"
#include "solvers/checks/exact_flows.h"
#include "solvers/registry.h"

#include "tests/catch_torch.h"

#include <memory>
#include <string>
#include <vector>

namespace stride::fixtures {

/// Where the suites run: cpu, or what STRIDE_TEST_DEVICE says (ctest's cuda entries set it).
[[nodiscard]] at::Device device();

/// The flow of a Gaussian, there.
struct GaussianFlow : ExactGaussian {
  explicit GaussianFlow(int64_t dimensions = 3) : ExactGaussian(dimensions, device()) {}
};

/// Three components in `dimensions` dimensions, classes 0, 1, 0: nonlinear, and conditional.
[[nodiscard]] inline std::unique_ptr<GaussianMixture> three_components(int64_t dimensions = 3) {
  return mixture_of_three(dimensions, device());
}

/// The text of `name` with what it needs to run in a test: a plan gets a file.
[[nodiscard]] std::string runnable(const std::string& name);

/// Builds `runnable(name)` with what a solver may ask for besides its options: the linear betas.
[[nodiscard]] std::unique_ptr<Solver> solver_for(const std::string& name);

/// `solver`, then `solver:options` for each of its variants.
[[nodiscard]] std::vector<std::string> with_variants(const std::string& solver);

/// All of them, each solver of the registry with its variants (SolverCard::variants).
[[nodiscard]] std::vector<std::string> all_solvers();

/// `body(name, solver)` for each of them, in a section per solver with a section per variant: every one runs and
/// reports by itself, and `test_solvers -c heun` runs those of heun alone. What stands before it in the test case is
/// made anew for each.
template <class Body>
void each_solver(Body body) {
  for (const std::string& solver : solver_names()) DYNAMIC_SECTION(solver) {
      for (const std::string& name : with_variants(solver)) DYNAMIC_SECTION(name) {
          body(name, *solver_for(name));
        }
    }
}

[[nodiscard]] Tensor ids(int64_t batch, int64_t first = 0);
[[nodiscard]] Tensor index(const std::vector<int64_t>& rows);

using Setup = CheckedRun;

/// The start of a run on a fixed grid: unit normals of the ids times the first level.
[[nodiscard]] inline RunState start(const Setup& setup, const Tensor& ids, at::ScalarType dtype = at::kDouble) {
  return checked_start(setup, ids, dtype);
}
[[nodiscard]] inline RunResult run(const Setup& setup, const Tensor& ids, at::ScalarType dtype = at::kDouble,
                                   const SampleOptions& options = {}) {
  return checked_run(setup, ids, dtype, options);
}
/// The same under another controller, from the grid's first level.
[[nodiscard]] RunState start(const Setup& setup, const StepController& controller, const Tensor& ids);
[[nodiscard]] RunResult run(const Setup& setup, const StepController& controller, const Tensor& ids,
                            const SampleOptions& options = {});

}  // namespace stride::fixtures
