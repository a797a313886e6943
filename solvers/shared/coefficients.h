// The coefficients of a multistep step as functions of its times: worked out step by step, or for a whole grid at once.
#pragma once

#include "solvers/solver_list.h"

#include <functional>
#include <vector>

namespace stride {

/// What such coefficients are functions of: for one step of each row, `[B]` each, or for every step of the rows' grids,
/// `[B, N]`.
struct StepTimes {
  Times from, to;
  std::vector<Times> past;  ///< levels of the evaluations remembered, newest first; 1 in places that hold none
  Tensor count;             ///< int64, evaluations remembered
  Tensor index;             ///< int64, steps before this one
  int64_t steps;            ///< of the grid
  Times end;                ///< its last level

  /// Steps that are left, this one included.
  [[nodiscard]] Tensor left() const;
};

/// K float64 tensors in the shape of the times. Elementwise: both ways of working them out give the same bits.
using CoefficientRule = std::function<std::vector<Tensor>(const StepTimes&)>;

/// Solver::coefficients: the rule at every step of `grid` `[B, N+1]`, for rows that begin with an empty history of
/// `capacity` entries.
[[nodiscard]] Tensor coefficients_of(const Tensor& grid, int64_t capacity, const CoefficientRule& rule);

/// The rule at `step`, as K factors that broadcast over `x` `[B, …]` in its dtype: read from Step::coefficients where
/// the run has them, else worked out from the step and `past`.
[[nodiscard]] std::vector<Tensor> coefficients_at(const Step& step, const Tensor& x, const History& past,
                                                  const CoefficientRule& rule);

}  // namespace stride
