// Several methods on one grid: `ddim@10,heun@5`.
#pragma once

#include "framework/grids/time_grid.h"
#include "solvers/registry.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// One method and the intervals that it makes.
struct HybridLeg {
  std::string solver;          ///< as make_solver takes it
  int64_t steps = 1;           ///< intervals of the grid
  std::optional<double> high;  ///< its own noise levels, both or neither
  std::optional<double> low;
};

/// True for `…@N` and `…@N:HIGH-LOW`: what parse_hybrid reads.
[[nodiscard]] bool is_hybrid(const std::string& text);

/// Legs `SOLVER@STEPS[:HIGH-LOW]` with commas between. Throws UsageError on anything else.
[[nodiscard]] std::vector<HybridLeg> parse_hybrid(const std::string& text);
[[nodiscard]] int64_t hybrid_steps(const std::vector<HybridLeg>& legs);

/// The legs that make the last `steps` intervals: what is left where a run begins later, as when an image is refined.
/// Throws UsageError unless there are as many.
[[nodiscard]] std::vector<HybridLeg> last_steps(const std::vector<HybridLeg>& legs, int64_t steps);

/// The grid of the legs by `schedule`. Without ranges it is one grid of all the intervals. A leg with a range has a
/// grid of its own there, and neighbours without one share the levels that are left. Throws UsageError where the
/// ranges of two legs do not meet, and where the schedule cannot be given a range.
[[nodiscard]] TimeGrid hybrid_grid(const std::vector<HybridLeg>& legs, const Spec& schedule, GridRequest request);

/// Runs each leg for its steps, by the number of steps that a row has made. The memory is the longest History of the
/// legs, in its canonical form, and behind it each method's own tensors: a method takes over the evaluations of the
/// one before, whatever that was, and begins its own tensors anew unless it follows itself. Looks at the device once a
/// step, for which leg it is; rows in different legs are stepped apart, and each pays for its own. Throws UsageError
/// on unknown solvers and on legs without steps.
[[nodiscard]] std::unique_ptr<Solver> make_hybrid(const std::vector<HybridLeg>& legs, SolverContext context = {});

}  // namespace stride
