// Whether a fixed-point iteration is getting anywhere.
#pragma once

#include "framework/tensor.h"

namespace stride {

/// The last two changes `[B, …]` that an iteration made. How many iterations are made is fixed, as the device alone
/// knows when they have converged; whether they lead somewhere shows in these.
struct LastChanges {
  Tensor before;  ///< undefined: nothing is known of it
  Tensor last;
};

/// bool `[B]`: the last change is no smaller than the one before it, and more than 0.5 % of `x` (which is above the
/// rounding of networks of 16 bits), or not a number. Sizes are root mean squares, in float64. One kernel on CUDA.
[[nodiscard]] Tensor unsolved(const LastChanges& changes, const Tensor& x);
/// The plain version.
[[nodiscard]] Tensor unsolved_plain(const LastChanges& changes, const Tensor& x);

}  // namespace stride
