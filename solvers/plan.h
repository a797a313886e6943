// A plan: the few-step sampler as a table (design §3).
#pragma once

#include "framework/solver.h"
#include "solvers/made_with.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// The longest row of weights that a plan may have: this evaluation and the three before it.
inline constexpr int64_t kPlanWindow = 4;

/// x ← x + (σ_{i+1} − σ_i)·Σ_j w_ij d_{i−j} with d_i = (x − D(x, s_i σ_i)) / (s_i σ_i). The file format
/// `stride-plan` version 1 of the contract.
struct Plan {
  std::vector<double> sigmas;                ///< nfe + 1, strictly decreasing; the last may be 0
  std::vector<std::vector<double>> weights;  ///< row i: of d_i, d_{i−1}, …; 1 to min(i + 1, 4) entries
  std::vector<double> scale_time;            ///< nfe: s_i
  std::string fit_json;                      ///< the fit report, a JSON object as text; may be empty
  std::string model_sha256;
  MadeWith made_with;  ///< not `recorded` in files from before: then with what else the file says

  [[nodiscard]] int64_t nfe() const noexcept { return static_cast<int64_t>(scale_time.size()); }
  [[nodiscard]] bool final_zero() const noexcept { return !sigmas.empty() && sigmas.back() == 0.0; }
  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;

  /// Throws InputError, naming `where`, on anything malformed.
  [[nodiscard]] static Plan from_json(const std::string& text, const std::string& where);
  /// Doubles are written so that they read back bit for bit. Throws UsageError for an invalid plan.
  [[nodiscard]] std::string to_json() const;
  /// Writes the file whole or not at all. Throws as to_json; ResourceError where the disk refuses.
  void save(const std::string& path) const;
  /// Throws InputError when the file is missing, larger than any plan, or malformed.
  [[nodiscard]] static Plan load(const std::string& path);
};

/// Fixed-step Adams–Bashforth weights of order k = 1 … 4, newest first: where a plan starts from.
[[nodiscard]] const std::vector<double>& adams_bashforth(int order);

/// Flat per-row parameters of a plan of `nfe` steps and `window` ≤ 4: for each step i the window's weights (zeros
/// where unused), then s_i. `[P]` with P = nfe·(window + 1). With RunConstant::params of that layout one
/// batch runs a different plan in every row; the grid's rows carry the times. Throws UsageError when a row
/// of weights is longer than the window.
[[nodiscard]] std::vector<double> plan_params(const Plan& plan, int window = static_cast<int>(kPlanWindow));

/// Runs the plan; when RunConstant::params is set, its rows replace the plan's weights and scales. A step
/// throws UsageError when the run's grid has another number of steps than the plan.
[[nodiscard]] std::unique_ptr<Solver> make_plan_solver(Plan plan);

}  // namespace stride
