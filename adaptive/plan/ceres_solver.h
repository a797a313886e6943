// Levenberg–Marquardt on a compressed least-squares problem: Ceres behind a torch-free door.
#pragma once

#include "adaptive/plan/ceres_square_root.h"

#include <functional>
#include <string>
#include <vector>

namespace stride {

/// The problem: parameters in, normal equations out. Without `want_jacobian` only `cost2` is looked at.
/// A cost2 that is not finite means "do not step there".
using CompressedProblem = std::function<NormalEquations(const std::vector<double>& parameters, bool want_jacobian)>;

/// What a solve shows after each iteration (0 is the start).
struct LeastSquaresIteration {
  int64_t iteration = 0;
  bool accepted = true;
  double cost2 = 0.0;                     ///< ‖r‖² where the solve stands
  double gradient_max = 0.0;              ///< largest entry of the projected gradient of ½‖r‖²
  double radius = 0.0;                    ///< of the trust region
  const std::vector<double>& parameters;  ///< where the solve stands
};

/// Returns false to stop the solve where it stands.
using LeastSquaresObserver = std::function<bool(const LeastSquaresIteration&)>;

struct LeastSquaresOptions {
  int64_t max_iterations = 20;
  double function_tolerance = 1e-6;   ///< stops when |Δcost| < this · cost
  double gradient_tolerance = 1e-12;  ///< stops when the largest gradient entry is below
  double parameter_tolerance = 1e-8;
  double initial_radius = 1e4;       ///< of the trust region; damping is its inverse
  std::vector<double> lower, upper;  ///< bounds; empty: none. Start and result lie inside
  double eigenvalue_cutoff = 1e-14;  ///< see square_root
  LeastSquaresObserver observer;

  /// Empty when valid for `parameters` unknowns, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason(int64_t parameters) const;
};

enum class LeastSquaresEnd { converged, iterations, stopped, failed };
[[nodiscard]] const char* to_string(LeastSquaresEnd end) noexcept;

struct LeastSquaresSummary {
  std::vector<double> parameters;  ///< the best found
  double initial_cost2 = 0.0;
  double final_cost2 = 0.0;
  int64_t iterations = 0;            ///< tried steps
  int64_t accepted = 0;              ///< of these
  int64_t cost_evaluations = 0;      ///< calls for the cost alone
  int64_t jacobian_evaluations = 0;  ///< calls for the normal equations
  LeastSquaresEnd end = LeastSquaresEnd::failed;
  std::string message;  ///< why it ended, in Ceres's words
  std::string brief;    ///< Ceres's one-line report
};

/// Minimises ½‖r‖² from `start`. Throws UsageError for invalid options, and QualityError when the cost at the
/// start is not finite. What `problem` and the observer throw goes through.
[[nodiscard]] LeastSquaresSummary solve_least_squares(const CompressedProblem& problem, std::vector<double> start,
                                                      const LeastSquaresOptions& options = {});

}  // namespace stride
