// The optimiser of every network here.
#pragma once

#include "framework/tensor.h"

namespace stride {

struct AdamOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.0;  ///< decoupled
  double clip = 0.0;          ///< largest gradient norm; 0: no limit
};

/// Moments of the gradient, each like the parameters.
struct AdamState {
  Tensor mean, square;
  int64_t step = 0;

  [[nodiscard]] static AdamState zero(const Tensor& parameters);
};

struct AdamUpdate {
  Tensor parameters;
  AdamState state;
};

/// One step of AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2). Pure; no synchronisation.
[[nodiscard]] AdamUpdate adam_update(const Tensor& parameters, const Tensor& gradient, const AdamState& state,
                                     double learning_rate, const AdamOptions& options);

/// Linear warm-up over `warmup` steps, then half a cosine from 1 down to 0 at `total`: a factor in (0, 1].
[[nodiscard]] double warmup_cosine(int64_t step, int64_t warmup, int64_t total) noexcept;

}  // namespace stride
