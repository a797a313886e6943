// From a clean image to the noise that DDIM would have made it from.
#pragma once

#include "framework/grids/time_grid.h"
#include "framework/sample.h"

#include <functional>

namespace stride {

struct InversionOptions {
  /// 0: each step uses the slope where it starts, one evaluation, and comes back with an error of first order in the
  /// step (Song et al. 2021, arXiv:2010.02502, sec. 4.3). More: that many fixed-point iterations with the slope where
  /// the step ends, an evaluation each, so that DDIM's step from there leads back exactly once they have converged.
  int64_t iterations = 0;
  std::function<bool()> stop = {};  ///< polled between steps; true ends the walk early
};

/// Walks `grid` upwards, from `clean` `[B, …]` at its smallest level to its first: RunResult::x lies there, in EDM
/// coordinates. On a grid that ends at 0 the image is where the last jump leads; there is no slope at 0, so that
/// without iterations the image stands for the point of the smallest positive level. No noise is drawn, and the term
/// is the probability flow, whatever `problem` has. Gradients are off. Throws UsageError for negative iterations.
[[nodiscard]] RunResult invert(const Problem& problem, const TimeGrid& grid, const RunConstant& constant,
                               const Tensor& clean, const InversionOptions& options = {});

}  // namespace stride
