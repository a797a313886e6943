#include "adaptive/plan/ceres_square_root.h"

#include "framework/error.h"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>
#include <string>

namespace stride {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::VectorXd;

SquareRoot square_root(const NormalEquations& normal, double cutoff) {
  const auto p = static_cast<Eigen::Index>(normal.g.size());
  if (static_cast<Eigen::Index>(normal.gram.size()) != p * p)
    throw UsageError("square_root: the Gram matrix has " + std::to_string(normal.gram.size()) + " entries, but " +
                     std::to_string(p) + " parameters need " + std::to_string(p * p));
  SquareRoot result;
  result.r.assign(normal.gram.size(), 0.0);
  result.head.assign(normal.g.size(), 0.0);
  const Eigen::Map<const Matrix> gram(normal.gram.data(), p, p);
  const Eigen::Map<const Vector> g(normal.g.data(), p);

  // A parameter that changes nothing has a zero diagonal; its scale is arbitrary.
  const Vector scale = gram.diagonal().unaryExpr([](double d) { return d > 0.0 ? std::sqrt(d) : 1.0; });
  const Vector inverse = scale.cwiseInverse();
  const Matrix unit = inverse.asDiagonal() * gram * inverse.asDiagonal();
  const Eigen::SelfAdjointEigenSolver<Matrix> eigen(unit);
  const Vector& values = eigen.eigenvalues();
  const double smallest = cutoff * std::max(p > 0 ? values.maxCoeff() : 0.0, 0.0);

  Eigen::Map<Matrix> r(result.r.data(), p, p);
  double head2 = 0.0;
  for (Eigen::Index k = 0; k < p; ++k) {
    if (!(values[k] > smallest)) continue;
    const double root = std::sqrt(values[k]);
    const Vector direction = eigen.eigenvectors().col(k);
    r.row(k) = root * direction.cwiseProduct(scale).transpose();
    const double entry = direction.dot(inverse.cwiseProduct(g)) / root;
    result.head[static_cast<std::size_t>(k)] = entry;
    head2 += entry * entry;
    ++result.rank;
  }
  result.tail = std::sqrt(std::max(0.0, normal.cost2 - head2));
  return result;
}

}  // namespace stride
