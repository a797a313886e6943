// A high-order start: the first steps of a multistep method made by a single-step one.
#pragma once

#include "solvers/solver_list.h"

#include <string>
#include <vector>

namespace stride {

/// An explicit Runge–Kutta method: stage i lies at from + nodes[i]·(to − from) and is reached by the slopes before it,
/// weighted with stages[i] (i numbers). Stage 0 is the step's own evaluation.
struct StartTableau {
  int order;
  std::vector<double> nodes;
  std::vector<std::vector<double>> stages;
  std::vector<double> weights;
};

/// Heun (2 evaluations), Kutta's third order (3), the classical Runge–Kutta method (4): Hairer, Nørsett & Wanner,
/// Solving ODEs I, §II.1. `order` is 2, 3 or 4.
[[nodiscard]] const StartTableau& start_tableau(int order);

/// The first `steps` steps of a run, made with `tableau`; steps = 0: the method's own start with lower orders.
struct MultistepStart {
  const StartTableau* tableau = nullptr;
  int64_t steps = 0;

  /// What a method of order k needs to start with an error of its own order: a step of a method of order p and the
  /// k-step method both err by h^(p+1) once, so that order k − 1 will do until k − 1 slopes are known for that.
  [[nodiscard]] static MultistepStart high(int64_t order);
  [[nodiscard]] int64_t more_evaluations(int64_t run_steps, bool final_zero) const;
  /// Claims what it costs a method of one evaluation per step: masked evaluations, in the first steps of a run.
  void claim_cost(SolverTraits& traits) const;
};

/// The option `start` of a method, own or high.
template <class T>
[[nodiscard]] OptionRow<T> start_option(bool T::*high) {
  return choice("start", high, {{"own", false}, {"high", true}},
                "how a run begins: with lower orders, or with Runge-Kutta steps of the method's order");
}

/// `next`, with rows that are in their start (the first steps of a run, nothing handed over) replaced by the
/// Runge–Kutta step from x, where D is `denoised`. The evaluations count in those rows alone, and are left out where
/// the host knows that no row is there.
[[nodiscard]] Tensor with_start(const MultistepStart& start, Step& step, const Tensor& x, const Tensor& denoised,
                                const Tensor& count, const Tensor& next);

}  // namespace stride
