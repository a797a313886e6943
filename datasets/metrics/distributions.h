// Probabilities of the distributions that tests and intervals need.
#pragma once

#include <cstdint>

namespace stride {

/// The t with P(|T| ≤ t) = level for `degrees` ≥ 1 of freedom, which need not be whole. Throws UsageError unless
/// 0 < level < 1 and degrees ≥ 1.
[[nodiscard]] double student_t(double level, double degrees);

/// P(X ≤ k) of the heads among `n` throws of a fair coin.
[[nodiscard]] double fair_coin(int64_t k, int64_t n);

}  // namespace stride
