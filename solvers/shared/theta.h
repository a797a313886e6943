// The two implicit one-step methods that need one slope at the end: x′ = x + h[(1 − θ) f(x, from) + θ f(x′, to)].
#pragma once

#include "solvers/solver_list.h"

namespace stride {

/// A solver of the θ-method (Hairer, Nørsett & Wanner, Solving ODEs I, §II.7): θ = 1 is implicit Euler, θ = ½ the
/// trapezoidal rule. x′ is found by `iterations` (an option, at least 1, default 3) fixed-point iterations from
/// Euler's prediction, one evaluation each: as many as asked for, since when they have converged is known to the
/// device alone. They converge where the step is short against 1/|∂f/∂x|; the order holds from one iteration on, and
/// one iteration of the trapezoidal rule is Heun's method. A row is unsolved where the last iteration changes it by
/// more than 0.5 % and by no less than the one before did (the first is measured against Euler's step): it leads
/// nowhere. The error estimate is h/2·(f(x′, to) − f(x, from)), the difference of the two methods, up to its sign.
[[nodiscard]] SolverEntry theta_entry(SolverCard card, int order, double theta);

}  // namespace stride
