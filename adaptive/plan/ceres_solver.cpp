#include "adaptive/plan/ceres_solver.h"

#include "framework/error.h"

#include <ceres/ceres.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <utility>

namespace stride {
namespace {

// A finite cost so large that every step towards it is refused: Ceres would log a warning for a failed evaluation.
constexpr double kRefusedCost = 1e150;

// Exceptions must not cross Ceres: the first one is kept, and the solve is asked to end.
struct Escape {
  std::exception_ptr error;
  [[nodiscard]] bool caught() const noexcept { return error != nullptr; }
};

class CompressedCost final : public ceres::CostFunction {
 public:
  CompressedCost(const CompressedProblem& problem, int parameters, double cutoff, Escape& escape,
                 LeastSquaresSummary& summary)
      : problem_(problem), count_(parameters), cutoff_(cutoff), escape_(escape), summary_(summary) {
    set_num_residuals(parameters + 1);
    mutable_parameter_block_sizes()->push_back(parameters);
  }

  bool Evaluate(double const* const* parameters, double* residuals, double** jacobians) const override {
    const bool want_jacobian = jacobians != nullptr && jacobians[0] != nullptr;
    std::fill(residuals, residuals + count_ + 1, 0.0);
    if (want_jacobian) std::fill(jacobians[0], jacobians[0] + static_cast<std::ptrdiff_t>(count_ + 1) * count_, 0.0);
    residuals[count_] = kRefusedCost;
    if (escape_.caught()) return true;
    try {
      (want_jacobian ? summary_.jacobian_evaluations : summary_.cost_evaluations) += 1;
      const NormalEquations normal = problem_({parameters[0], parameters[0] + count_}, want_jacobian);
      if (!std::isfinite(normal.cost2)) return true;
      if (want_jacobian) {
        const SquareRoot root = square_root(normal, cutoff_);
        std::copy(root.head.begin(), root.head.end(), residuals);
        std::copy(root.r.begin(), root.r.end(), jacobians[0]);
        residuals[count_] = root.tail;
      } else {
        residuals[count_] = std::sqrt(normal.cost2);
      }
    } catch (...) {
      escape_.error = std::current_exception();
    }
    return true;
  }

 private:
  const CompressedProblem& problem_;
  int count_;
  double cutoff_;
  Escape& escape_;
  LeastSquaresSummary& summary_;
};

class Watcher final : public ceres::IterationCallback {
 public:
  Watcher(const LeastSquaresOptions& options, const std::vector<double>& parameters, Escape& escape,
          LeastSquaresSummary& summary)
      : options_(options), parameters_(parameters), escape_(escape), summary_(summary) {}

  ceres::CallbackReturnType operator()(const ceres::IterationSummary& seen) override {
    if (escape_.caught()) return ceres::SOLVER_ABORT;
    if (seen.iteration == 0 && 2.0 * seen.cost >= kRefusedCost) return ceres::SOLVER_ABORT;
    if (seen.iteration > 0) summary_.iterations += 1;
    if (seen.iteration > 0 && seen.step_is_successful) summary_.accepted += 1;
    if (!options_.observer) return ceres::SOLVER_CONTINUE;
    try {
      const bool go_on = options_.observer({seen.iteration, seen.step_is_successful, 2.0 * seen.cost,
                                            seen.gradient_max_norm, seen.trust_region_radius, parameters_});
      return go_on ? ceres::SOLVER_CONTINUE : ceres::SOLVER_TERMINATE_SUCCESSFULLY;
    } catch (...) {
      escape_.error = std::current_exception();
      return ceres::SOLVER_ABORT;
    }
  }

 private:
  const LeastSquaresOptions& options_;
  const std::vector<double>& parameters_;
  Escape& escape_;
  LeastSquaresSummary& summary_;
};

ceres::Solver::Options ceres_options(const LeastSquaresOptions& options) {
  ceres::Solver::Options ceres;
  ceres.minimizer_type = ceres::TRUST_REGION;
  ceres.trust_region_strategy_type = ceres::LEVENBERG_MARQUARDT;
  ceres.linear_solver_type = ceres::DENSE_QR;
  ceres.max_num_iterations = static_cast<int>(options.max_iterations);
  ceres.function_tolerance = options.function_tolerance;
  ceres.gradient_tolerance = options.gradient_tolerance;
  ceres.parameter_tolerance = options.parameter_tolerance;
  ceres.initial_trust_region_radius = options.initial_radius;
  // The line search that Ceres adds for bounds asks for a gradient, that is 2P runs, at every trial otherwise.
  ceres.line_search_interpolation_type = ceres::QUADRATIC;
  ceres.update_state_every_iteration = true;
  ceres.logging_type = ceres::SILENT;
  ceres.num_threads = 1;
  return ceres;
}

LeastSquaresEnd end_of(ceres::TerminationType type) {
  switch (type) {
    case ceres::CONVERGENCE:
      return LeastSquaresEnd::converged;
    case ceres::NO_CONVERGENCE:
      return LeastSquaresEnd::iterations;
    case ceres::USER_SUCCESS:
      return LeastSquaresEnd::stopped;
    default:
      return LeastSquaresEnd::failed;
  }
}

}  // namespace

const char* to_string(LeastSquaresEnd end) noexcept {
  switch (end) {
    case LeastSquaresEnd::converged:
      return "converged";
    case LeastSquaresEnd::iterations:
      return "iterations used up";
    case LeastSquaresEnd::stopped:
      return "stopped";
    case LeastSquaresEnd::failed:
      return "failed";
  }
  return "unknown";
}

std::string LeastSquaresOptions::invalid_reason(int64_t parameters) const {
  if (parameters < 1) return "least squares: there is no parameter to fit";
  if (max_iterations < 0) return "least squares: max_iterations must not be negative";
  if (!(function_tolerance >= 0.0 && gradient_tolerance >= 0.0 && parameter_tolerance >= 0.0))
    return "least squares: tolerances must be numbers that are not negative";
  if (!(initial_radius > 0.0 && std::isfinite(initial_radius)))
    return "least squares: initial_radius must be positive and finite";
  if (!(eigenvalue_cutoff >= 0.0 && eigenvalue_cutoff < 1.0))
    return "least squares: eigenvalue_cutoff must lie in [0, 1)";
  const auto count = static_cast<std::size_t>(parameters);
  if (lower.size() != upper.size() || (!lower.empty() && lower.size() != count))
    return "least squares: give bounds for every parameter, or for none";
  for (std::size_t i = 0; i < lower.size(); ++i)
    if (!(lower[i] < upper[i])) return "least squares: the bounds of parameter " + std::to_string(i) + " leave no room";
  return {};
}

LeastSquaresSummary solve_least_squares(const CompressedProblem& problem, std::vector<double> start,
                                        const LeastSquaresOptions& options) {
  if (const std::string reason = options.invalid_reason(static_cast<int64_t>(start.size())); !reason.empty())
    throw UsageError(reason);
  LeastSquaresSummary summary;
  Escape escape;
  const int count = static_cast<int>(start.size());
  for (std::size_t i = 0; i < options.lower.size(); ++i)
    start[i] = std::clamp(start[i], options.lower[i], options.upper[i]);

  CompressedCost cost(problem, count, options.eigenvalue_cutoff, escape, summary);
  ceres::Problem::Options borrowed;
  borrowed.cost_function_ownership = ceres::DO_NOT_TAKE_OWNERSHIP;
  ceres::Problem ceres_problem(borrowed);
  ceres_problem.AddResidualBlock(&cost, nullptr, start.data());
  for (int i = 0; i < count && !options.lower.empty(); ++i) {
    const auto k = static_cast<std::size_t>(i);
    ceres_problem.SetParameterLowerBound(start.data(), i, options.lower[k]);
    ceres_problem.SetParameterUpperBound(start.data(), i, options.upper[k]);
  }

  Watcher watcher(options, start, escape, summary);
  ceres::Solver::Options settings = ceres_options(options);
  settings.callbacks.push_back(&watcher);
  ceres::Solver::Summary seen;
  ceres::Solve(settings, &ceres_problem, &seen);
  if (escape.caught()) std::rethrow_exception(escape.error);
  if (2.0 * seen.initial_cost >= kRefusedCost)
    throw QualityError(
        "least squares: the residual at the starting parameters is not finite; check the model and its sigma range");

  summary.initial_cost2 = 2.0 * seen.initial_cost;
  summary.final_cost2 = 2.0 * seen.final_cost;
  summary.end = end_of(seen.termination_type);
  summary.message = seen.message;
  summary.brief = seen.BriefReport();
  summary.parameters = std::move(start);
  return summary;
}

}  // namespace stride
