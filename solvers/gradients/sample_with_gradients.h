// Gradients through a whole run: of anything that is made of its samples, with respect to the start, to what the
// denoiser is conditioned on, and to the tensors that it closes over.
#pragma once

#include "framework/sample.h"

#include <vector>

namespace stride {

/// What backward has of the steps.
enum class GradientMode {
  plain,         ///< all that autograd keeps of every step: memory grows with the number of steps
  checkpointed,  ///< the state at the beginning of each segment of about √N steps; a segment is run again when its turn
                 ///< comes (Chen et al. 2016, arXiv:1604.06174, §3.1). The same bits as `plain`
  reversible,  ///< the end alone: each state is worked out from the one after it (Kidger et al. 2021,
               ///< arXiv:2105.13493, alg. 2). The solver `reversible_heun` only
};

struct GradientOptions {
  GradientMode mode = GradientMode::checkpointed;
  /// Tensors besides the start and the conditions that gradients are wanted for: a network's weights, a guidance that
  /// the denoiser closes over. They may be results of other computations. `plain` finds them by itself.
  std::vector<Tensor> parameters = {};
  /// Steps in a segment, the last jump counted; 0: the square root of their number, rounded up.
  int64_t segment = 0;

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// Runs `start` to its end as `sample` does, to the same bits where the network is computed in the same way with
/// gradients as without, and leaves the result's `x` joined to autograd's graph, if gradients are on. Gradients reach
/// the start's x, its condition, grid and params (those that require them) and GradientOptions::parameters; they are of
/// the first order, except in `plain`. Noise is a function of the samples' ids: backward sees what was drawn.
///
/// In the two modes that compute again the parts of `problem`, the solver and the controller must live until backward
/// is done. A checkpointed run costs one more pass of the network for each of its own, a reversible one as well.
/// A reversible one loses on the way back what the network rounds: float32 in full, not TF32 or 16 bits.
///
/// Throws UsageError as `sample` does; for a controller without a planned number of steps; for a tensor that requires a
/// gradient and that the denoiser uses, but that nobody listed (reversible: in backward); in `reversible` for another
/// solver, a stochastic term, a grid that requires a gradient and a start in the middle of a run.
[[nodiscard]] RunResult sample_with_gradients(const Problem& problem, const Solver& solver,
                                              const StepController& controller, const RunState& start,
                                              const GradientOptions& options = {});

/// The x that a `reversible` backward comes back to, from the end of the run of `start`: how far it is from start.x is
/// what the states of backward have lost. On `digits`, relative to the largest entry, with 10 to 200 steps: 3e-6 to
/// 7e-6 in float32, 5e-15 to 1e-14 in float64; on a mixture down to sigma = 0.002 in float32 1e-3 with 10 steps, 1e-5
/// from 50 on (docs/results/gradients.md).
[[nodiscard]] Tensor rebuilt_start(const Problem& problem, const Solver& solver, const StepController& controller,
                                   const RunState& start);

}  // namespace stride
