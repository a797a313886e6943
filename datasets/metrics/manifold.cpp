#include "datasets/metrics/manifold.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace stride {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t kDistances = int64_t{1} << 24;  // in one chunk: 128 MiB

int64_t chunk_of(int64_t columns) { return std::max<int64_t>(1, kDistances / std::max<int64_t>(columns, 1)); }

// Differences, not inner products: mode 2.
Tensor distances(const Tensor& a, const Tensor& b) { return at::cdist(a, b, 2.0, 2); }

// `visit(begin, distances [c, columns])` for all rows of `a`.
template <class Visit>
void in_chunks(const Tensor& a, const Tensor& b, const Visit& visit) {
  const int64_t chunk = chunk_of(b.size(0));
  for (int64_t begin = 0; begin < a.size(0); begin += chunk)
    visit(begin, distances(a.slice(0, begin, begin + chunk), b));
}

// A set's own rows are no neighbours of themselves.
void forget_own(Tensor& chunk, int64_t begin) { chunk.narrow(1, begin, chunk.size(0)).diagonal().fill_(kInfinity); }

// Which rows of Y count: all, each block, all but each block, as contiguous pieces of the rows.
struct Subset {
  int64_t skip_begin = 0, skip_end = 0;  // left out
  int64_t begin = 0, end = 0;            // of these

  [[nodiscard]] int64_t size() const { return end - begin - (skip_end - skip_begin); }
  [[nodiscard]] Tensor of(const Tensor& values, int64_t dim) const {
    if (skip_begin == skip_end) return values.slice(dim, begin, end);
    return at::cat({values.slice(dim, begin, skip_begin), values.slice(dim, skip_end, end)}, dim);
  }
};

std::vector<Subset> subsets_of(const std::vector<int64_t>& bounds) {
  std::vector<Subset> out = {{0, 0, 0, bounds.back()}};
  const auto blocks = bounds.size() - 1;
  for (std::size_t i = 0; i < blocks; ++i) out.push_back({0, 0, bounds[i], bounds[i + 1]});
  for (std::size_t i = 0; i < blocks && blocks > 1; ++i) out.push_back({bounds[i], bounds[i + 1], 0, bounds.back()});
  return out;
}

BlockMetric as_metric(const std::vector<double>& values, std::size_t blocks) {
  BlockMetric out;
  const auto place = [&](std::size_t i) { return values.begin() + static_cast<std::ptrdiff_t>(i); };
  out.blocks.assign(place(1), place(1 + blocks));
  out.all = jackknife(values[0], {place(1 + blocks), values.end()});
  return out;
}

void require_tables(const Tensor& generated, const Tensor& real, const ManifoldOptions& options) {
  const int64_t k = std::max(options.precision_k, options.density_k);
  if (generated.dim() != 2 || real.dim() != 2 || generated.size(1) != real.size(1) || generated.size(1) < 1)
    throw UsageError("precision and recall need two tables of features, [N, F] and [M, F]");
  if (options.precision_k < 1 || options.density_k < 1) throw UsageError("nearest neighbours are counted from 1");
  if (real.size(0) <= k || generated.size(0) <= options.precision_k) {
    throw UsageError(
        fmt::format("precision, recall, density and coverage look at {} and {} neighbours: {} generated and {} real "
                    "samples are too "
                    "few",
                    options.precision_k, options.density_k, generated.size(0), real.size(0)));
  }
}

// The radii of the balls around Y for each subset of Y: [S][N], those of rows outside the subset unused.
std::vector<Tensor> radii_of(const Tensor& y, const std::vector<Subset>& subsets, int64_t k) {
  std::vector<std::vector<Tensor>> parts(subsets.size());
  in_chunks(y, y, [&](int64_t begin, Tensor chunk) {
    forget_own(chunk, begin);
    for (std::size_t s = 0; s < subsets.size(); ++s) {
      if (subsets[s].size() <= k) continue;
      parts[s].push_back(std::get<0>(at::kthvalue(subsets[s].of(chunk, 1), k, 1)));
    }
  });
  std::vector<Tensor> out;
  for (auto& part : parts) out.push_back(part.empty() ? Tensor() : at::cat(part));
  return out;
}

}  // namespace

Tensor neighbour_distance(const Tensor& x, int64_t k) {
  if (x.dim() != 2 || k < 1 || x.size(0) <= k)
    throw UsageError(fmt::format("a {}-th nearest neighbour needs a table of more than {} samples", k, k));
  const Tensor rows = x.to(at::kDouble);
  std::vector<Tensor> parts;
  in_chunks(rows, rows, [&](int64_t begin, Tensor chunk) {
    forget_own(chunk, begin);
    parts.push_back(std::get<0>(at::kthvalue(chunk, k, 1)));
  });
  return at::cat(parts);
}

ManifoldMetric manifold_metric(const Tensor& generated, const Tensor& real, const std::vector<int64_t>& bounds,
                               const ManifoldOptions& options) {
  require_tables(generated, real, options);
  const Tensor y = generated.to(at::kDouble);
  const Tensor x = real.to(y.options());
  const auto subsets = subsets_of(bounds);
  const auto blocks = bounds.size() - 1;
  const Tensor precision_radius = neighbour_distance(x, options.precision_k);
  const Tensor density_radius = neighbour_distance(x, options.density_k);
  const std::vector<Tensor> radii = radii_of(y, subsets, options.precision_k);

  // Of each Y: whether some ball holds it, and how many do. Of each subset of Y: balls and points of X it reaches.
  Tensor inside = at::zeros({y.size(0)}, y.options().dtype(at::kBool));
  Tensor holders = at::zeros({y.size(0)}, y.options());
  std::vector<double> covered(subsets.size(), 0.0), recalled(subsets.size(), 0.0);
  in_chunks(x, y, [&](int64_t begin, const Tensor& chunk) {
    const Tensor near = chunk <= precision_radius.slice(0, begin, begin + chunk.size(0)).unsqueeze(1);
    inside = inside.logical_or(near.any(0));
    const Tensor dense = chunk <= density_radius.slice(0, begin, begin + chunk.size(0)).unsqueeze(1);
    holders += dense.sum(0, false, at::kDouble);
    for (std::size_t s = 0; s < subsets.size(); ++s) {
      covered[s] += subsets[s].of(dense, 1).any(1).sum().item<double>();
      if (!radii[s].defined()) continue;
      const Tensor reached = subsets[s].of(chunk, 1) <= subsets[s].of(radii[s], 0).unsqueeze(0);
      recalled[s] += reached.any(1).sum().item<double>();
    }
  });

  const auto m = static_cast<double>(x.size(0));
  const auto k = static_cast<double>(options.density_k);
  std::vector<double> precision, recall, density, coverage;
  const Tensor hit = inside.to(at::kDouble);
  const bool finite = at::isfinite(x).all().item<bool>() && at::isfinite(y).all().item<bool>();
  for (std::size_t s = 0; s < subsets.size(); ++s) {
    precision.push_back(finite ? subsets[s].of(hit, 0).mean().item<double>() : kNan);
    density.push_back(finite ? subsets[s].of(holders, 0).mean().item<double>() / k : kNan);
    recall.push_back(finite && radii[s].defined() ? recalled[s] / m : kNan);
    coverage.push_back(finite ? covered[s] / m : kNan);
  }
  return {as_metric(precision, blocks), as_metric(recall, blocks), as_metric(density, blocks),
          as_metric(coverage, blocks)};
}

}  // namespace stride
