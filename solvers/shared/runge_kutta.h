// Explicit Runge–Kutta methods in σ: one stepper, and the methods as data (Hairer, Nørsett & Wanner, Solving ODEs I,
// §II.1; embedded pairs §II.4).
#pragma once

#include "solvers/solver_list.h"

#include <string>
#include <vector>

namespace stride {

/// A Butcher tableau. Stage i is evaluated at from + nodes[i]·(to − from) from the slopes before it, weighted by
/// stages[i] (i numbers). Weights whose places are missing at the end count as zero.
struct ButcherTableau {
  std::string name;
  int order;           ///< of the method
  int embedded_order;  ///< of the embedded method; 0: there is none
  std::vector<double> nodes;
  std::vector<std::vector<double>> stages;
  std::vector<double> weights;
  std::vector<double> error;  ///< weights minus the embedded method's: h·Σ error·slope estimates the local error

  /// Evaluations per step. The last evaluation of a pair whose last stage is the next step's first one ("first same
  /// as last") is made again there: whether a row has just begun, or was rejected at its first step, is known to the
  /// device alone, so that the count of evaluations could not be kept, and a batch may mix such rows with others.
  [[nodiscard]] int64_t evaluations() const { return static_cast<int64_t>(nodes.size()); }
  /// The same method without its estimate, and without the stages that only the estimate needs.
  [[nodiscard]] ButcherTableau without_error() const;
};

/// Every tableau that a solver uses (butcher_tableaux.cpp); a test holds each to its order conditions.
[[nodiscard]] const std::vector<ButcherTableau>& butcher_tableaux();

/// The solver of the tableau named as the card: family, orders and evaluations follow from the tableau, and the option
/// error=false is there where the estimate costs evaluations that a fixed grid can do without.
[[nodiscard]] SolverEntry runge_kutta_entry(SolverCard card);

}  // namespace stride
