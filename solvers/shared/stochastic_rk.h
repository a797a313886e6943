// Runge–Kutta methods of strong order 1.5 for additive noise: sra1, sra3.
#pragma once

#include "solvers/shared/sde_path.h"

#include <vector>

namespace stride {

/// A method of Rößler 2010 (SIAM J. Numer. Anal. 48(3)) for dx = f dt + g dB with constant g:
/// H_i = x + Δ Σ_j a_ij f_j + b_i g J, x ← x + Δ Σ_i α_i f_i + g ΔB, J = (1/Δ)∫ B. b_i is a row sum of his B⁽⁰⁾.
struct AdditiveTableau {
  std::vector<double> nodes;                ///< c_i, the first 0
  std::vector<std::vector<double>> stages;  ///< a_ij, j < i
  std::vector<double> weights;              ///< α_i
  std::vector<double> noise;                ///< b_i
};
[[nodiscard]] const AdditiveTableau& sra1_tableau();
[[nodiscard]] const AdditiveTableau& sra3_tableau();

/// Integrates the reverse SDE over the clock v = σ², where its noise is additive with the constant η:
/// dx = (1 + η²)(x − D)/(2v) dv + η dW.
[[nodiscard]] std::unique_ptr<Solver> make_stochastic_rk(SolverTraits traits, const SdeOptions& sde,
                                                         const AdditiveTableau& tableau);

}  // namespace stride
