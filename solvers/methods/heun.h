// Heun's step, for heun and restart.
#pragma once

#include "solvers/solver_list.h"

namespace stride {

/// One trapezoid over an Euler prediction; `error` is its difference from that.
struct HeunStep {
  Tensor next, error, denoised;
};
[[nodiscard]] HeunStep heun_step(Step& step, const Tensor& x, const Times& from, const Times& to);

}  // namespace stride
