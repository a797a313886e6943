#include "solvers/shared/multistep.h"

#include "solvers/shared/exponential.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {

std::vector<Times> quadrature_weights(const Tensor& points, const Tensor& measures, const std::vector<Times>& nodes) {
  std::vector<Times> weights;
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    Tensor basis = measures;
    for (std::size_t k = 0; k < nodes.size(); ++k)
      if (k != j) basis = basis * (points - nodes[k]) / (nodes[j] - nodes[k]);
    // Summed one by one: a reduction may round differently in another batch.
    Times weight = basis[0];
    for (int64_t q = 1; q < basis.size(0); ++q) weight = weight + basis[q];
    weights.push_back(weight);
  }
  return weights;
}

std::vector<Times> moment_weights(const std::vector<Times>& moments, const std::vector<Times>& nodes) {
  TORCH_INTERNAL_ASSERT(moments.size() == nodes.size(), "a polynomial through n nodes has n moments");
  std::vector<Times> weights;
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    std::vector<Times> basis{at::ones_like(nodes[j])};  // coefficients of ℓ_j, lowest first
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      if (k == j) continue;
      const Times scale = 1.0 / (nodes[j] - nodes[k]);
      basis.push_back(at::zeros_like(scale));
      for (std::size_t c = basis.size() - 1; c > 0; --c) basis[c] = (basis[c - 1] - nodes[k] * basis[c]) * scale;
      basis[0] = -nodes[k] * basis[0] * scale;
    }
    Times weight = basis[0] * moments[0];
    for (std::size_t c = 1; c < basis.size(); ++c) weight = weight + basis[c] * moments[c];
    weights.push_back(weight);
  }
  return weights;
}

std::vector<Times> adams_weights(const Times& from, const Times& to, const std::vector<Times>& past) {
  std::vector<Times> nodes{from};
  nodes.insert(nodes.end(), past.begin(), past.end());
  TORCH_INTERNAL_ASSERT(nodes.size() <= 4, "two Gauss points integrate cubics, not more");
  const Times half = 0.5 * (to - from);
  const Times middle = 0.5 * (to + from);
  const Times offset = half / std::sqrt(3.0);
  return quadrature_weights(at::stack({middle - offset, middle + offset}), at::stack({half, half}), nodes);
}

std::vector<Times> log_nodes(const Times& from, const Times& to, const std::vector<Times>& past) {
  const Times h = (from / to).log();
  std::vector<Times> nodes{at::zeros_like(h)};
  for (const Times& sigma : past) nodes.push_back((from / sigma).log() / h);
  return nodes;
}

std::vector<Times> denoised_moments(const Times& from, const Times& to, int64_t count) {
  const Times h = (from / to).log();
  std::vector<Times> moments;
  double factorial = 1.0;
  for (int k = 0; k < count; factorial *= ++k) moments.push_back(factorial * h * phi(k + 1, -h));
  return moments;
}

std::vector<Times> slope_moments(const Times& from, const Times& to, int64_t count) {
  const Times h = (from / to).log();
  std::vector<Times> moments;
  double factorial = 1.0;
  for (int k = 0; k < count; factorial *= ++k) moments.push_back(-factorial * h * to * phi(k + 1, h));
  return moments;
}

std::vector<Times> weights_by_count(const Tensor& count, const std::vector<std::vector<Times>>& orders) {
  std::vector<Times> weights;
  for (std::size_t j = 0; j < orders.size(); ++j) {
    Times weight = at::zeros_like(orders[0][0]);
    for (std::size_t k = j; k < orders.size(); ++k)
      weight = at::where(count >= static_cast<int64_t>(k), orders[k][j], weight);
    weights.push_back(weight);
  }
  return weights;
}

Tensor combine(const Tensor& x, const Tensor& newest, const History& past, const std::vector<Times>& weights,
               Tensor HistoryEntry::*value) {
  Tensor sum = x + per_sample(weights[0], x) * newest;
  for (std::size_t j = 1; j < weights.size(); ++j)
    sum = sum + per_sample(weights[j], x) * past[static_cast<int64_t>(j) - 1].*value;
  return sum;
}

}  // namespace stride
