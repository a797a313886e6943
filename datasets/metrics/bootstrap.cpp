#include "datasets/metrics/bootstrap.h"

#include "framework/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <fmt/format.h>
#include <boost/math/distributions/normal.hpp>

namespace stride {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool any_nan(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
}

// The cube of the third moment over the cube of the deviation, as the jackknife sees them, over 6.
double acceleration(const std::vector<double>& without) {
  double mean = 0.0;
  for (const double value : without) mean += value / static_cast<double>(without.size());
  double squares = 0.0, cubes = 0.0;
  for (const double value : without) {
    const double u = mean - value;
    squares += u * u;
    cubes += u * u * u;
  }
  return squares > 0.0 ? cubes / (6.0 * std::pow(squares, 1.5)) : 0.0;
}

}  // namespace

std::vector<std::vector<double>> bootstrap_counts(int64_t blocks, int64_t draws, uint64_t seed) {
  if (blocks < 1 || draws < 1)
    throw UsageError(fmt::format("a bootstrap needs blocks and draws; got {} and {}", blocks, draws));
  std::mt19937_64 generator(seed);
  std::vector<std::vector<double>> out(static_cast<std::size_t>(draws),
                                       std::vector<double>(static_cast<std::size_t>(blocks), 0.0));
  for (std::vector<double>& counts : out) {
    // The high 32 bits of a word times the number of blocks: as uniform as 2^32 allows, and no library's business.
    for (int64_t i = 0; i < blocks; ++i) counts[((generator() >> 32U) * static_cast<uint64_t>(blocks)) >> 32U] += 1.0;
  }
  return out;
}

Estimate percentile_interval(double all, const std::vector<double>& resampled, double level) {
  if (resampled.empty() || any_nan(resampled)) return {all, kNan, kNan};
  return {all, quantile(resampled, 0.5 * (1.0 - level)), quantile(resampled, 0.5 * (1.0 + level))};
}

Estimate bca_interval(double all, const std::vector<double>& resampled, const std::vector<double>& without,
                      double level) {
  if (std::isnan(all) || resampled.empty() || any_nan(resampled) || without.size() < 2 || any_nan(without))
    return {all, kNan, kNan};
  double below = 0.0;
  for (const double value : resampled) below += value < all ? 1.0 : value == all ? 0.5 : 0.0;
  const double share = below / static_cast<double>(resampled.size());
  if (share == 0.0 || share == 1.0) return percentile_interval(all, resampled, level);
  const boost::math::normal normal;
  const double bias = boost::math::quantile(normal, share), a = acceleration(without);
  const auto end = [&](double p) {
    const double z = bias + boost::math::quantile(normal, p);
    return quantile(resampled, boost::math::cdf(normal, bias + z / (1.0 - a * z)));
  };
  return {all, end(0.5 * (1.0 - level)), end(0.5 * (1.0 + level))};
}

}  // namespace stride
