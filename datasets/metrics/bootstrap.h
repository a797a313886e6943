// Intervals from resampled blocks of seeds.
#pragma once

#include "datasets/metrics/intervals.h"

#include <cstdint>
#include <vector>

namespace stride {

/// How often each of `blocks` blocks is drawn in each of `draws` samples of `blocks` with replacement:
/// `[draws][blocks]`, from a generator of `seed`, the same on every machine. Throws UsageError unless both are
/// positive.
[[nodiscard]] std::vector<std::vector<double>> bootstrap_counts(int64_t blocks, int64_t draws, uint64_t seed);

/// The bias-corrected and accelerated interval (Efron 1987, J. Am. Stat. Assoc. 82, 171–185; Efron & Tibshirani 1993,
/// ch. 14) around `all`, the value on all blocks: `resampled` are the values on bootstrap samples, `without[i]` that
/// on all blocks but the i-th. Where all resampled values are one it is that value; where all lie on one side of `all`
/// it is the percentile interval. No interval where a value is NaN, or where there are fewer than two blocks.
[[nodiscard]] Estimate bca_interval(double all, const std::vector<double>& resampled,
                                    const std::vector<double>& without, double level = 0.95);

/// The percentile interval (Efron & Tibshirani 1993, ch. 13), for values that can be open at an end. No interval where
/// a value is NaN.
[[nodiscard]] Estimate percentile_interval(double all, const std::vector<double>& resampled, double level = 0.95);

}  // namespace stride
