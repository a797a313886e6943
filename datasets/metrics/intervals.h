// How sure a number is that was measured on random seeds.
//
// One rule for all metrics: the seeds are split into B blocks, and the interval is the delete-one-block jackknife
// (Efron & Tibshirani 1993, An Introduction to the Bootstrap, ch. 11) with Student's t of B − 1 degrees of freedom.
// For a mean over blocks of one size that is exactly the t interval of the block means; it also holds for smooth
// functions of the sample that are no means, such as an RMSE or a Fréchet distance of all samples together. It
// covers what other seeds would change, not the bias that a Fréchet distance of few samples has.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace stride {

/// A value with its two-sided interval; `low` and `high` are NaN where one block says nothing about spread.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

/// The variance of a value by the delete-one-block jackknife, from the values on all blocks but one. NaN with fewer
/// than two, and where one is NaN.
[[nodiscard]] double jackknife_variance(const std::vector<double>& without);

/// Interval around `all`, the value on all samples, from `without[i]`, the value on all blocks but the i-th.
/// Fewer than two blocks: no interval. Any NaN: NaN.
[[nodiscard]] Estimate jackknife(double all, const std::vector<double>& without, double level = 0.95);

/// Mean of the values of equally large blocks, with the t interval.
[[nodiscard]] Estimate mean_interval(const std::vector<double>& blocks, double level = 0.95);

/// Seeds [0, n) in `blocks` contiguous runs as equal as they get: blocks + 1 bounds, from 0 to n. Throws UsageError
/// unless 1 ≤ blocks ≤ n.
[[nodiscard]] std::vector<int64_t> block_bounds(int64_t n, int64_t blocks);

/// The value at probability p of sorted or unsorted numbers, linear between order statistics (type 7 of Hyndman &
/// Fan 1996, NumPy's default). NaN where there are none, or where one is NaN.
[[nodiscard]] double quantile(std::vector<double> values, double p);

}  // namespace stride
