// Euler's step, for euler and euler_maruyama.
#pragma once

#include "solvers/solver_list.h"

namespace stride {

/// One evaluation and one tangent of `term` from x at `from` to Step::to; with the noise of a stochastic term,
/// Euler–Maruyama (Kloeden & Platen 1992 §10.2). `estimates`: a second evaluation gives Heun − Euler as the error.
[[nodiscard]] StepResult euler_step(Step& step, const Term& term, const Tensor& x, const Times& from,
                                    const BatchState& history, bool estimates = false);

}  // namespace stride
