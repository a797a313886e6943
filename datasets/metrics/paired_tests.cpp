#include "datasets/metrics/paired_tests.h"

#include "datasets/metrics/distributions.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace stride {
namespace {

constexpr std::size_t kMostExact = 16;  // pairs: 65,536 ways

// The sum with the signs of `differences` turned where a bit is set.
double swapped_sum(const std::vector<double>& differences, const std::vector<uint64_t>& bits) {
  double sum = 0.0;
  for (std::size_t i = 0; i < differences.size(); ++i)
    sum += (bits[i / 64] >> (i % 64)) & 1U ? -differences[i] : differences[i];
  return sum;
}

}  // namespace

double sign_test(int64_t lower, int64_t higher) {
  return std::min(1.0, 2.0 * fair_coin(std::min(lower, higher), lower + higher));
}

PermutationTest permutation_test(const std::vector<double>& differences, int64_t draws, uint64_t seed) {
  double observed = 0.0, size = 0.0;
  for (const double value : differences) {
    observed += value;
    size += std::abs(value);
  }
  if (!std::isfinite(size)) return {std::numeric_limits<double>::quiet_NaN(), 0.0, 0, false};
  if (size == 0.0) return {};
  const double least = std::abs(observed) - 1e-12 * size;
  PermutationTest out;
  out.exact = differences.size() <= kMostExact;
  out.draws = out.exact ? int64_t{1} << differences.size() : draws;
  std::vector<uint64_t> bits((differences.size() + 63) / 64);
  std::mt19937_64 generator(seed);
  int64_t hits = 0;
  for (int64_t way = 0; way < out.draws; ++way) {
    for (uint64_t& word : bits) word = out.exact ? static_cast<uint64_t>(way) : generator();
    if (std::abs(swapped_sum(differences, bits)) >= least) ++hits;
  }
  if (out.exact) {
    out.p = static_cast<double>(hits) / static_cast<double>(out.draws);
  } else {
    out.p = static_cast<double>(hits + 1) / static_cast<double>(out.draws + 1);
    out.error = std::sqrt(out.p * (1.0 - out.p) / static_cast<double>(out.draws));
  }
  return out;
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (!std::isnan(p[i])) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] < p[b]; });
  std::vector<double> out(p.size(), std::numeric_limits<double>::quiet_NaN());
  double most = 0.0;
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    most = std::max(most, std::min(1.0, static_cast<double>(order.size() - rank) * p[order[rank]]));
    out[order[rank]] = most;
  }
  return out;
}

}  // namespace stride
