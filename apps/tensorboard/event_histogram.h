// Values counted in buckets, as TensorBoard's histograms are.
#pragma once

#include <span>
#include <vector>

namespace stride {

struct EventHistogram {
  double min = 0.0, max = 0.0, count = 0.0, sum = 0.0, sum_of_squares = 0.0;
  std::vector<double> limits;  ///< ascending upper edges: bucket i has limits[i − 1] ≤ v < limits[i]
  std::vector<double> counts;  ///< one a limit
};

/// The upper edges that TensorFlow and PyTorch use: ±1e-12·1.1ⁿ below 1e20, 0 between them, and the largest double.
[[nodiscard]] std::vector<double> tensorboard_limits();

/// Counts `values`; those that are not finite are left out. With no `limits`, tensorboard_limits() with runs of empty
/// buckets joined, as TensorFlow writes them; else exactly those, and a last one for what lies above.
/// Throws UsageError when `limits` do not ascend or are not finite.
[[nodiscard]] EventHistogram count_buckets(std::span<const double> values, const std::vector<double>& limits = {});

}  // namespace stride
