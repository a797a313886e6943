// How many evaluations a method needs for an error: its error over NFE, read the other way round.
#pragma once

#include <utility>
#include <vector>

namespace stride {

/// Evaluations, and on which side of what was run they lie: −1 where the error is larger than at the fewest evaluations
/// that were run (which is the value then), 1 where it is smaller than at the most.
struct CurveNfe {
  double nfe = 0;
  int beyond = 0;
};

/// The fewest evaluations at which the curve through (NFE, error) `points` comes down to `error`: straight between two
/// neighbours in the logarithms of both, and never rising, since who has more evaluations may use fewer: the least
/// error so far. Nothing is extrapolated. NaN where a value is not positive and finite, or where there is no point.
[[nodiscard]] CurveNfe nfe_at(std::vector<std::pair<double, double>> points, double error);

}  // namespace stride
