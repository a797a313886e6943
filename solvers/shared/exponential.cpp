#include "solvers/shared/exponential.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr double kSeriesBelow = 0.5;
constexpr int kSeriesTerms = 14;  // the next one is 0.5¹⁵ k!/(k + 15)!, below a rounding

// 1/k! · (1 + z/(k+1) · (1 + z/(k+2) · (1 + …))).
Times series(int k, const Times& z) {
  const Times one = at::ones_like(z);
  Times sum = one;
  for (int j = kSeriesTerms; j >= 1; --j) sum = at::addcmul(one, sum, z, 1.0 / (k + j));
  double factorial = 1.0;
  for (int j = 2; j <= k; ++j) factorial *= j;
  return sum / factorial;
}

}  // namespace

Times phi(int k, const Times& z) {
  TORCH_INTERNAL_ASSERT(k >= 0, "there is no phi function of a negative index");
  if (k == 0) return z.exp();
  // expm1 is exact near 0 by itself: the first function needs another rule at 0 alone.
  const Tensor small = k == 1 ? z == 0.0 : z.abs() < kSeriesBelow;
  const Times away = at::where(small, at::ones_like(z), z);
  Times value = away.expm1() / away;
  double factorial = 1.0;
  for (int j = 2; j <= k; ++j) {
    factorial *= j - 1;
    value = (value - 1.0 / factorial) / away;
  }
  return at::where(small, k == 1 ? at::ones_like(z) : series(k, z), value);
}

}  // namespace stride
