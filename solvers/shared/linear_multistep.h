// Linear multistep methods with one body: x' = keep·x + Σ_j w_j·(value remembered j steps ago).
#pragma once

#include "solvers/shared/multistep.h"
#include "solvers/shared/multistep_start.h"

namespace stride {

/// What tells one such method from another.
struct MultistepRule {
  /// The weights of a row that remembers past.size() values, newest first: past.size() + 1 of them, float64 `[B]`.
  using Weights = std::function<std::vector<Times>(const Times& from, const Times& to, const std::vector<Times>& past)>;
  Weights weights = {};
  /// The values are denoised images, and keep = to/from; else slopes, keep = 1, and the weights sum to to − from.
  bool of_denoised = false;
  bool integrates_end = false;  ///< the last jump, to σ = 0, is a step like the others; else x ← D
};

/// Options that these methods share.
struct MultistepOptions {
  int64_t order = 1;  ///< values in use, this evaluation's included
  /// In runs of fewer than 15 steps no more values than steps are left, as in diffusers: the last steps are of lower
  /// order, for stability.
  bool lower_order_final = false;
  MultistepStart start = {};
  bool high_start = false;  ///< `start` is the one for this order

  /// `lower_order_final`, for a method of that order.
  [[nodiscard]] static Options<MultistepOptions> declared(int64_t order);
  /// `order`, 1 … most and by default `most`.
  [[nodiscard]] static OptionRow<MultistepOptions> order_option(int64_t most);
};

/// The option `solver_type` of DPM-Solver's second-order steps (diffusers' names).
template <class T>
[[nodiscard]] OptionRow<T> midpoint_option(bool T::*midpoint) {
  return choice("solver_type", midpoint, {{"midpoint", true}, {"heun", false}},
                "the second-order step: DPM-Solver's shortcut, or the polynomial exactly");
}

/// The option `exact` of methods with three values.
template <class T>
[[nodiscard]] OptionRow<T> exact_option(bool T::*exact) {
  return flag("exact", exact, "the second difference with the polynomial's weight, not the published half of it");
}

/// Adams–Bashforth weights of a fixed step on whatever grid, up to order 4.
[[nodiscard]] MultistepRule fixed_step_rule();

/// Exponential Adams–Bashforth methods: the denoised image, or the slope, is a polynomial in λ = −ln σ and everything
/// else is exact. `midpoint`: with two values DPM-Solver's shortcut, h/2·φ₁ for the first difference's φ₂ (both are of
/// second order). `halved`: with three values the published DPM-Solver (multistep) formulas, which give the second
/// difference half the weight that the polynomial has, and so are of second order.
[[nodiscard]] MultistepRule exponential_rule(bool of_denoised, bool midpoint, bool halved);

/// The row of claims that belongs to an order: of the method primed exactly, and with its own start.
struct MultistepClaims {
  int order;
  int start_order;
};

/// Adds to `traits` what follows from the options: history, evaluations, and the claims of that order.
[[nodiscard]] std::unique_ptr<Solver> make_linear_multistep(SolverTraits traits, MultistepRule rule,
                                                            const MultistepOptions& options, MultistepClaims claims);

}  // namespace stride
