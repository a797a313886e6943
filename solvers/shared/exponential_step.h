// One step of an explicit exponential Runge–Kutta method in λ = −ln σ: what the single-step DPM-Solver family,
// RES and the exponential Heun method share.
#pragma once

#include "solvers/solver_list.h"

#include <vector>

namespace stride {

/// What a method takes for constant over a step, the rest being integrated exactly (Lu et al. 2022,
/// arXiv:2211.01095, sec. 4.1): D, of x′ = −x + D; or ε = (x − D)/σ, of y′ = y − ε with y = x/σ.
enum class Prediction { data, noise };

/// factor·φ_k.
struct PhiTerm {
  double factor;
  int k;
};

/// Row i of a tableau: c_i, and the weights a_ij(z) = Σ factor·φ_k(c_i z) of the differences g_2 − g_1, g_3 − g_1, …
/// The weight of g_1 is then c_i φ_1(c_i z), which makes every row exact for a constant g.
struct ExponentialRow {
  double node;
  std::vector<std::vector<PhiTerm>> weights = {};
};

/// y_i = e^(c_i z) y + h[c_i φ_1(c_i z) g_1 + Σ_j a_ij(z)(g_j − g_1)], z = ∓h for data and noise prediction. Rows that
/// need no difference leave it out. `embedded` has the order below, out of the same evaluations.
struct ExponentialTableau {
  int order;
  std::vector<ExponentialRow> stages;         ///< rows 2 … s
  ExponentialRow last;                        ///< node 1
  std::vector<ExponentialRow> embedded = {};  ///< one row, or none
};

/// A row with its numbers for one step, on x itself: keep·x + first·g_1 + Σ differences_j·(g_j − g_1), g = D or ε.
struct ExponentialWeights {
  Times sigma, keep, first;
  std::vector<Times> differences;
};

/// A tableau with its numbers for one step.
struct ExponentialNumbers {
  std::vector<ExponentialWeights> stages;
  ExponentialWeights last;
  std::vector<ExponentialWeights> embedded;
  std::vector<Tensor> used;  ///< bool `[B]` per stage: the rows that it serves; empty: all of them
};
[[nodiscard]] ExponentialNumbers numbers_of(const ExponentialTableau& tableau, Prediction prediction, const Times& from,
                                            const Times& to);

/// Row by row the numbers of methods[choice]. The last method has the most stages; rows of the others evaluate those
/// that they lack as well, weigh them with 0 and do not count them. There is no error estimate.
[[nodiscard]] ExponentialNumbers choose(const Tensor& choice, const std::vector<ExponentialNumbers>& methods);

/// The step that the numbers are for, with the difference to the embedded row as its error estimate.
[[nodiscard]] StepResult exponential_step(Step& step, const Tensor& x, const BatchState& history, Prediction prediction,
                                          const ExponentialNumbers& numbers);

/// A solver made of that step; the tableau decides its order, error estimate and evaluations.
[[nodiscard]] std::unique_ptr<Solver> make_exponential_solver(SolverTraits traits, Prediction prediction,
                                                              ExponentialTableau tableau);

}  // namespace stride
