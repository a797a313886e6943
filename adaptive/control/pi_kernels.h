// The CUDA side of PiController: a kernel for what is proposed, and one for what is decided.
#pragma once

#include "adaptive/control/pi_controller.h"

namespace stride::cuda {

/// What a decision reads: rows `[B, …]` of one floating dtype, numbers float64 `[B]`.
struct PiSeen {
  Tensor estimate, before, after, denoised;  ///< `before` and `after` are x at both ends of the step
  Times from, to, last_error;
};
struct PiDecided {
  Tensor accept;               ///< bool `[B]`
  Times log_step, last_error;  ///< float64 `[B]`
  Tensor status;               ///< int8 `[B]`
};

/// float32 or float64 rows and no gradients.
[[nodiscard]] bool pi_takes(const PiSeen& seen);
/// Sums over a row are made in another order than ATen's: the last bits differ from the plain version's.
[[nodiscard]] PiDecided pi_decide(const PiOptions& options, double order, const PiSeen& seen);
[[nodiscard]] Times pi_propose(const PiOptions& options, const Times& sigma, const Times& log_step);

}  // namespace stride::cuda
