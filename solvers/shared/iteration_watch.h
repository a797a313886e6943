// Whether a fixed-point iteration is getting anywhere.
#pragma once

#include "framework/tensor.h"

namespace stride {

/// The sizes (root mean square, float64 `[B]`) of the last two changes that an iteration made, row by row. How many
/// iterations are made is fixed, as the device alone knows when they have converged; whether they lead somewhere shows
/// in the last two.
class IterationWatch final {
 public:
  /// `first` `[B, …]` is the change that brought it to where the iteration begins; undefined: nothing is known of it.
  explicit IterationWatch(const Tensor& first);

  void see(const Tensor& change);
  /// bool `[B]`: the last change is no smaller than the one before it, and more than 0.5 % of `x` (which is above the
  /// rounding of networks of 16 bits), or not a number.
  [[nodiscard]] Tensor unsolved(const Tensor& x) const;

 private:
  Times before_, last_;  ///< undefined: nothing is known
};

}  // namespace stride
