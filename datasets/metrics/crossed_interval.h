// How sure a number is that depends on two kinds of chance: what was trained, and what was sampled.
#pragma once

#include "datasets/metrics/intervals.h"

#include <vector>

namespace stride {

/// Variances of a mean over several trainings of one recipe, all measured on the same seeds.
struct CrossedInterval {
  Estimate all;
  double training = 0;  ///< variance of `all.value` from training again
  double sampling = 0;  ///< from other seeds
  double degrees = 0;   ///< of freedom, of Student's t
};

/// `training[i]` is the variance of the mean over the trainings on one side of a comparison and `trainings[i]` how many
/// there were (those with one have no variance, and take no part); `without[j]` the value on all blocks of seeds but
/// the j-th. The variances add, and the degrees of freedom of their sum are Satterthwaite's (1946, Biometrics Bulletin
/// 2(6) 110–114). What trainings and seeds do together (their interaction) is in both variances, so that the interval
/// is rather too wide than too narrow. No interval with fewer than two blocks, or with no side of two trainings.
[[nodiscard]] CrossedInterval crossed_interval(double all, const std::vector<double>& training,
                                               const std::vector<int64_t>& trainings,
                                               const std::vector<double>& without, double level = 0.95);

}  // namespace stride
