#include "solvers/shared/exponential_adams.h"

#include "solvers/shared/exponential.h"

#include <ATen/ATen.h>

namespace stride {

std::vector<Times> exponential_adams_weights(const Times& from, const Times& to, const Times& eta,
                                             const std::vector<Times>& nodes) {
  const Times h = (from / to).log();
  const Times z = -(1.0 + eta) * h;
  // In u = (λ − λ_from)/h the integral of u^k is −z k! φ_{k+1}(z).
  std::vector<Times> moments;
  double factorial = 1.0;
  for (std::size_t k = 0; k < nodes.size(); ++k) {
    if (k > 1) factorial *= static_cast<double>(k);
    moments.push_back(-z * factorial * phi(static_cast<int>(k) + 1, z));
  }
  std::vector<Times> places;
  for (const Times& node : nodes) places.push_back((from / node).log() / h);
  std::vector<Times> weights;
  for (std::size_t j = 0; j < nodes.size(); ++j) {
    // Coefficients of ℓ_j, lowest first, one factor (u − u_k)/(u_j − u_k) after the other.
    std::vector<Times> basis{at::ones_like(h)};
    for (std::size_t k = 0; k < nodes.size(); ++k) {
      if (k == j) continue;
      const Times gap = places[j] - places[k];
      std::vector<Times> longer(basis.size() + 1, at::zeros_like(h));
      for (std::size_t m = 0; m < basis.size(); ++m) {
        longer[m] = longer[m] - basis[m] * places[k] / gap;
        longer[m + 1] = longer[m + 1] + basis[m] / gap;
      }
      basis = std::move(longer);
    }
    Times weight = at::zeros_like(h);
    for (std::size_t m = 0; m < basis.size(); ++m) weight = weight + basis[m] * moments[m];
    weights.push_back(weight);
  }
  return weights;
}

}  // namespace stride
