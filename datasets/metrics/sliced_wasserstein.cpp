#include "datasets/metrics/sliced_wasserstein.h"

#include "datasets/metrics/block_metric.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

namespace stride {
namespace {

struct Projected {
  Tensor x, y;  // [N, L], [M, L]
};

Projected project(const Tensor& x, const Tensor& y, const SlicedOptions& options) {
  if (x.dim() < 1 || y.dim() < 1 || x.sizes().slice(1) != y.sizes().slice(1) || x.size(0) < 1 || y.size(0) < 1)
    throw UsageError("the sliced Wasserstein distance needs two sets of samples of one shape");
  if (options.projections < 1) throw UsageError("the sliced Wasserstein distance needs at least one projection");
  const Tensor a = x.reshape({x.size(0), -1}).to(at::kDouble);
  const Tensor b = y.reshape({y.size(0), -1}).to(a.options());
  at::Generator generator = at::detail::createCPUGenerator(options.seed);
  Tensor directions = at::randn({a.size(1), options.projections}, generator, at::TensorOptions().dtype(at::kDouble));
  directions = (directions / directions.square().sum(0, true).sqrt()).to(a.device());
  return {at::mm(a, directions), at::mm(b, directions)};
}

// How mass moves between n and m sorted points of equal weight: pieces of the unit interval, each between one point of
// either side.
struct Coupling {
  Tensor from, to, weight;
};

Coupling couple(int64_t n, int64_t m, const at::Device& device) {
  // In units of 1/(n·m), so that the pieces' ends are exact.
  std::vector<int64_t> from, to;
  std::vector<double> weight;
  const double total = static_cast<double>(n) * static_cast<double>(m);
  for (int64_t i = 0, j = 0, at = 0; i < n && j < m;) {
    const int64_t end = std::min((i + 1) * m, (j + 1) * n);
    from.push_back(i);
    to.push_back(j);
    weight.push_back(static_cast<double>(end - at) / total);
    at = end;
    if (end == (i + 1) * m) ++i;
    if (end == (j + 1) * n) ++j;
  }
  const auto integers = at::TensorOptions().dtype(at::kLong);
  return {at::tensor(from, integers).to(device), at::tensor(to, integers).to(device),
          at::tensor(weight, at::TensorOptions().dtype(at::kDouble)).to(device)};
}

// `y` sorted already.
double distance(const Tensor& x, const Tensor& y) {
  const Tensor sorted = std::get<0>(x.sort(0));
  if (!at::isfinite(sorted).all().item<bool>()) return std::nan("");
  if (x.size(0) == y.size(0)) return std::sqrt((sorted - y).square().mean().item<double>());
  const Coupling pieces = couple(x.size(0), y.size(0), x.device());
  const Tensor moved = (sorted.index_select(0, pieces.from) - y.index_select(0, pieces.to)).square();
  return std::sqrt((moved * pieces.weight.unsqueeze(1)).sum(0).mean().item<double>());
}

}  // namespace

double sliced_wasserstein(const Tensor& x, const Tensor& y, const SlicedOptions& options) {
  const Projected both = project(x, y, options);
  return distance(both.x, std::get<0>(both.y.sort(0)));
}

BlockMetric sliced_metric(const Tensor& x, const Tensor& y, const std::vector<int64_t>& bounds,
                          const SlicedOptions& options) {
  const Projected both = project(x, y, options);
  const Tensor sorted = std::get<0>(both.y.sort(0));
  return block_metric(
      bounds, [&](const Tensor& rows) { return distance(both.x.index_select(0, rows.to(both.x.device())), sorted); });
}

}  // namespace stride
