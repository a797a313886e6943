// Plans as points of a parameter space (design §3).
#pragma once

#include "framework/grids/time_grid.h"
#include "solvers/plan.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stride {

/// One quantity of a plan's table that a fit may turn: a time σ_k, a weight w_ij or a scale log s_i.
struct PlanColumn {
  enum class Kind { time, weight, scale };
  Kind kind = Kind::weight;
  int64_t step = 0;  ///< k of σ_k; i of w_ij and s_i
  int64_t lag = 0;   ///< j of w_ij

  /// The first step whose result depends on it: steps before are those of the unturned plan.
  [[nodiscard]] int64_t first_step() const noexcept { return kind == Kind::time ? step - 1 : step; }
  /// True if the evaluation of that first step does not depend on it, only what is made of it.
  [[nodiscard]] bool keeps_first_evaluation() const noexcept { return kind != Kind::scale; }
};

/// Which parts of a plan a fit may turn.
struct PlanFree {
  bool grid = true;     ///< the times σ_k between the ends
  bool weights = true;  ///< the w_ij
  bool times = true;    ///< the model times: log s_i

  /// "grid+weights+times", or some of these in any order. Throws UsageError on other words and on a word twice.
  [[nodiscard]] static PlanFree parse(const std::string& text);
  [[nodiscard]] std::string text() const;
  bool operator==(const PlanFree&) const = default;
};

/// Which plans a fit looks at.
struct PlanSpace {
  int64_t nfe = 5;
  Final final = Final::sigma_min;
  double sigma_min = 0.002;
  double sigma_max = 80.0;
  double rho = 7.0;              ///< the axis σ^(1/ρ) on which the grid's gaps are measured
  int64_t window = kPlanWindow;  ///< longest row of weights
  PlanFree free = {};            ///< the rest stays as it is at zero, or in the plan of `around`

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// Parameters ↔ plans. In order: logits of the N gaps, the last pinned (N − 1); additive corrections to the
/// fixed-step Adams–Bashforth weights, row by row (window growing at the start); log s_i (N). All zero is
/// iPNDM on the Karras grid with the same end; with Final::zero its last jump is x ← D, weights (1, 0, …).
/// With Final::zero the axis reaches down to σ = 0, so that the last positive time is fitted too. Parts that are not
/// free have no parameters.
class PlanParameters final {
 public:
  /// Throws UsageError for an invalid space.
  explicit PlanParameters(const PlanSpace& space);

  /// The same space, with what is not free as in `plan`. Throws as `parameters` does.
  [[nodiscard]] PlanParameters around(const Plan& plan) const;

  [[nodiscard]] const PlanSpace& space() const noexcept { return space_; }
  [[nodiscard]] int64_t size() const noexcept { return static_cast<int64_t>(columns_.size()); }
  /// What each parameter turns, in order. A logit stands in the place of the time after its gap, but turns
  /// all of them: see `chain`.
  [[nodiscard]] const std::vector<PlanColumn>& columns() const noexcept { return columns_; }

  [[nodiscard]] Plan plan(const std::vector<double>& parameters) const;
  /// The inverse. Throws UsageError when the plan lies outside this space: other steps, end or range.
  [[nodiscard]] std::vector<double> parameters(const Plan& plan) const;
  /// Where a fit starts on another grid than Karras: theory's weights, `sigmas` of nfe + 1 entries.
  [[nodiscard]] Plan on_grid(const std::vector<double>& sigmas) const;

  /// `plan` with one column turned by `delta`: times in fractions of the axis, weights, log scales.
  [[nodiscard]] Plan turned(const Plan& plan, const PlanColumn& column, double delta) const;
  /// A turn for central differences: `fd_step` for weights, twice that for log scales, and for times ten times
  /// that of the smaller neighbouring gap.
  [[nodiscard]] double turn(const Plan& plan, const PlanColumn& column, double fd_step) const;
  /// ∂columns/∂parameters `[P, P]`, row-major: the softmax of the gaps in the upper left (where the grid is free), the
  /// identity elsewhere.
  [[nodiscard]] std::vector<double> chain(const Plan& plan) const;

 private:
  [[nodiscard]] double fraction(double sigma) const;
  [[nodiscard]] double sigma(double fraction) const;
  [[nodiscard]] std::vector<double> fractions(const std::vector<double>& sigmas) const;
  [[nodiscard]] const std::vector<double>& theory(int64_t step) const {
    return theory_.at(static_cast<std::size_t>(step));
  }

  // Of all parts, free or not, in the order of the class comment.
  [[nodiscard]] Plan plan_of(const std::vector<double>& all) const;
  [[nodiscard]] std::vector<double> all_of(const Plan& plan) const;

  PlanSpace space_;
  std::vector<std::vector<double>> theory_;
  std::vector<double> log_gaps_;     // of the Karras grid, the last subtracted
  std::vector<PlanColumn> columns_;  // the free ones
  std::vector<std::size_t> free_;    // where they stand among all parameters
  std::vector<double> base_;         // all parameters; the free ones are not looked at
};

}  // namespace stride
