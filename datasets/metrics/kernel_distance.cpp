#include "datasets/metrics/kernel_distance.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stride {
namespace {

constexpr int64_t kTile = 2048;

void require_tables(const Tensor& x, const Tensor& y) {
  if (x.dim() == 2 && y.dim() == 2 && x.size(1) == y.size(1) && x.size(1) > 0 && x.size(0) > 1 && y.size(0) > 1) return;
  throw UsageError("the kernel distance needs two tables of features, [N, F] and [M, F], of at least two samples each");
}

Tensor kernel(const Tensor& a, const Tensor& b) {
  const Tensor base = at::mm(a, b.t()).div_(static_cast<double>(a.size(1))).add_(1.0);
  return base * base * base;
}

// Σ k(a_i, b_j) over all pairs; with `same`, without the pairs of a row with itself.
double kernel_sum(const Tensor& a, const Tensor& b, bool same) {
  double sum = 0.0;
  for (int64_t i = 0; i < a.size(0); i += kTile) {
    const Tensor rows = a.slice(0, i, i + kTile);
    for (int64_t j = 0; j < b.size(0); j += kTile) {
      const Tensor values = kernel(rows, b.slice(0, j, j + kTile));
      sum += values.sum().item<double>();
      if (same && i == j) sum -= values.diagonal().sum().item<double>();
    }
  }
  return sum;
}

double estimate(double xx, double yy, double xy, int64_t n, int64_t m) {
  if (n < 2 || m < 2) return std::numeric_limits<double>::quiet_NaN();
  const auto a = static_cast<double>(n);
  const auto b = static_cast<double>(m);
  return xx / (a * (a - 1.0)) + yy / (b * (b - 1.0)) - 2.0 * xy / (a * b);
}

}  // namespace

double kernel_distance(const Tensor& x, const Tensor& y) {
  require_tables(x, y);
  const Tensor a = x.to(at::kDouble);
  const Tensor b = y.to(a.options());
  return estimate(kernel_sum(a, a, true), kernel_sum(b, b, true), kernel_sum(a, b, false), a.size(0), b.size(0));
}

BlockMetric kernel_metric(const Tensor& x, const Tensor& y, const std::vector<int64_t>& bounds) {
  require_tables(x, y);
  const Tensor a = x.to(at::kDouble);
  const Tensor b = y.to(a.options());
  const int64_t n = a.size(0);
  const int64_t m = b.size(0);
  const auto block = [&](std::size_t i) { return a.slice(0, bounds[i], bounds[i + 1]); };
  const double yy = kernel_sum(b, b, true);
  const auto blocks = bounds.size() - 1;
  // Of the block with itself, of the block with all others (once), and with the reference.
  std::vector<double> own(blocks, 0.0), others(blocks, 0.0), across(blocks, 0.0);
  double all_own = 0.0, all_across = 0.0;
  for (std::size_t i = 0; i < blocks; ++i) {
    own[i] = kernel_sum(block(i), block(i), true);
    across[i] = kernel_sum(block(i), b, false);
    all_own += own[i];
    all_across += across[i];
    for (std::size_t j = 0; j < i; ++j) {
      const double pair = kernel_sum(block(i), block(j), false);
      others[i] += pair;
      others[j] += pair;
      all_own += 2.0 * pair;
    }
  }
  BlockMetric out;
  std::vector<double> without;
  for (std::size_t i = 0; i < blocks; ++i) {
    const int64_t size = bounds[i + 1] - bounds[i];
    out.blocks.push_back(estimate(own[i], yy, across[i], size, m));
    if (blocks > 1)
      without.push_back(estimate(all_own - own[i] - 2.0 * others[i], yy, all_across - across[i], n - size, m));
  }
  out.all = jackknife(estimate(all_own, yy, all_across, n, m), without);
  return out;
}

KernelSubsets kernel_distance_subsets(const Tensor& x, const Tensor& y, int64_t subsets, int64_t size, uint64_t seed) {
  require_tables(x, y);
  if (size < 2 || subsets < 1 || size > x.size(0) || size > y.size(0)) {
    throw UsageError(
        fmt::format("{} subsets of {} samples cannot be drawn from {} and {} samples; ask for smaller ones", subsets,
                    size, x.size(0), y.size(0)));
  }
  at::Generator generator = at::detail::createCPUGenerator(seed);
  const Tensor a = x.to(at::kDouble);
  const Tensor b = y.to(a.options());
  const auto draw = [&](const Tensor& from) {
    const Tensor rows = at::randperm(from.size(0), generator, at::kLong).narrow(0, 0, size);
    return from.index_select(0, rows.to(from.device()));
  };
  double sum = 0.0, squares = 0.0;
  for (int64_t i = 0; i < subsets; ++i) {
    const Tensor mine = draw(a);
    const double value = kernel_distance(mine, draw(b));
    sum += value;
    squares += value * value;
  }
  const auto count = static_cast<double>(subsets);
  const double mean = sum / count;
  return {mean, std::sqrt(std::max(0.0, squares / count - mean * mean)), subsets, size};
}

}  // namespace stride
