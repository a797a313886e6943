// Flow matching's time s in EDM coordinates: x_s = (1 − s)·x₀ + s·noise is σ = s/(1 − s) after division by 1 − s.
#pragma once

#include "framework/options.h"

#include <optional>

namespace stride {

/// s = 1 is pure noise, σ = ∞. Stride begins this far below it, at σ = 4095: the first jump is then x ← D + σ₁·noise up
/// to one part in 4095/σ₁ (docs/differences.md).
constexpr double kFlowTerminal = 0x1p-12;

/// σ = s/(1 − s) for s < 1.
[[nodiscard]] double flow_sigma(double s);
/// What stands for s = 1 above the flow time `below`: 1 − kFlowTerminal, or nearer to 1 where `below` leaves no room.
[[nodiscard]] double flow_start(double below);

/// The shift of flow times (Esser et al. 2024, arXiv:2403.03206 eq. 23): s' = m·s/(1 + (m − 1)·s), which multiplies σ
/// by m.
struct FlowShift {
  double multiplier = 1.0;
  bool dynamic = false;  ///< by mu or seq_len: diffusers then shifts the grid's end once, else twice
};

/// diffusers' options for it: `shift` (m itself), or the dynamic shift by `mu`, or by `seq_len` with base_shift,
/// max_shift, base_seq_len and max_seq_len, from which mu is linear in the sequence's length. m = exp(mu), or mu itself
/// with time_shift=linear.
struct FlowShiftOptions {
  std::optional<double> shift = {}, mu = {}, seq_len = {};
  double base_shift = 0.5, max_shift = 1.15, base_seq_len = 256.0, max_seq_len = 4096.0;
  bool linear = false;

  [[nodiscard]] static Options<FlowShiftOptions> declared();
  /// Throws UsageError, beginning with `what`, where m would not be positive and finite.
  [[nodiscard]] FlowShift made(const std::string& what) const;
};

}  // namespace stride
