#include "solvers/multistep.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {

std::vector<Times> adams_weights(const Times& from, const Times& to, const std::vector<Times>& past) {
  std::vector<Times> nodes{from};
  nodes.insert(nodes.end(), past.begin(), past.end());
  TORCH_INTERNAL_ASSERT(nodes.size() <= 4, "two Gauss points integrate cubics, not more");
  const Times half = 0.5 * (to - from);
  const Times middle = 0.5 * (to + from);
  std::vector<Times> weights;
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    Times weight = at::zeros_like(from);
    for (const double gauss : {-1.0 / std::sqrt(3.0), 1.0 / std::sqrt(3.0)}) {
      Times basis = half;
      for (std::size_t k = 0; k < nodes.size(); ++k)
        if (k != j) basis = basis * (middle + gauss * half - nodes[k]) / (nodes[j] - nodes[k]);
      weight = weight + basis;
    }
    weights.push_back(weight);
  }
  return weights;
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

Tensor combine(const Tensor& x, const Tensor& slope, const History& past, const std::vector<Times>& weights) {
  Tensor sum = x + per_sample(weights[0], x) * slope;
  for (std::size_t j = 1; j < weights.size(); ++j)
    sum = sum + per_sample(weights[j], x) * past[static_cast<int64_t>(j) - 1].slope;
  return sum;
}

}  // namespace stride
