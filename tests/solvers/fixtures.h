// What the registry-driven suites share: exact flows, grids, and one way to run a solver.
#pragma once

#include "framework/fixed_grid.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/sample.h"
#include "solvers/registry.h"

#include "tests/catch_torch.h"

#include <memory>
#include <string>
#include <vector>

namespace stride::fixtures {

/// N(μ, s²) in `dimensions` dimensions: the probability flow is x(σ) = μ + (x₀ − μ)·√((s² + σ²)/(s² + σ₀²)).
struct GaussianFlow {
  explicit GaussianFlow(int64_t dimensions = 3);
  [[nodiscard]] Tensor exact(const Tensor& x, double from, double to) const;

  Tensor mean;
  double std = 0.5;
  std::unique_ptr<GaussianMixture> denoiser;
};

/// Three components in `dimensions` dimensions, classes 0, 1, 0: nonlinear, and conditional.
[[nodiscard]] std::unique_ptr<GaussianMixture> three_components(int64_t dimensions = 3);

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

/// Where the suites run: cpu, or what STRIDE_TEST_DEVICE says (ctest's cuda entries set it).
[[nodiscard]] at::Device device();
[[nodiscard]] Tensor ids(int64_t batch, int64_t first = 0);
[[nodiscard]] Tensor index(const std::vector<int64_t>& rows);

struct Setup {
  const Denoiser& denoiser;
  const Solver& solver;
  const NoiseSource& noise;
  const TimeGrid& grid;
};

/// The start of a run on a fixed grid: unit normals of the ids times the first level.
[[nodiscard]] RunState start(const Setup& setup, const Tensor& ids, at::ScalarType dtype = at::kDouble);
[[nodiscard]] RunResult run(const Setup& setup, const Tensor& ids, at::ScalarType dtype = at::kDouble,
                            const SampleOptions& options = {});
/// The same under another controller, from the grid's first level.
[[nodiscard]] RunState start(const Setup& setup, const StepController& controller, const Tensor& ids);
[[nodiscard]] RunResult run(const Setup& setup, const StepController& controller, const Tensor& ids,
                            const SampleOptions& options = {});

/// Bit for bit, NaN equal to NaN.
[[nodiscard]] bool same_bits(const Tensor& a, const Tensor& b);
[[nodiscard]] bool same_bits(const RunState& a, const RunState& b);

/// Least-squares slope of log(error) against log(1/N).
[[nodiscard]] double measured_order(const std::vector<int64_t>& steps, const std::vector<double>& errors);

}  // namespace stride::fixtures
