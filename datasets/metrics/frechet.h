// The Fréchet distance between two sets of features, each taken for a Gaussian.
#pragma once

#include "framework/tensor.h"

namespace stride {

/// Mean and covariance of a set of feature vectors; all float64 on the CPU.
struct FeatureStatistics {
  Tensor mean;        ///< `[F]`
  Tensor covariance;  ///< `[F, F]`, with the divisor n − 1
  int64_t n = 0;

  /// Of `features` `[N, F]`, N ≥ 2, any floating dtype and device. Throws UsageError otherwise. Features that are not
  /// finite give statistics that are not.
  [[nodiscard]] static FeatureStatistics of(const Tensor& features);
  /// Of the two sets together (Chan, Golub & LeVeque 1983, The American Statistician 37(3)). Throws UsageError when F
  /// differs.
  [[nodiscard]] static FeatureStatistics merge(const FeatureStatistics& a, const FeatureStatistics& b);
};

/// |μ_a − μ_b|² + tr(A + B − 2·(A^{1/2} B A^{1/2})^{1/2}): Dowson & Landau 1982, as Heusel et al. 2017
/// (arXiv:1706.08500) use it. The last trace is the sum of the singular values of A^{1/2}·B^{1/2}, with the square
/// roots from symmetric eigen-decompositions: no square root of a non-symmetric matrix, no small eigenvalue squared,
/// and covariances of fewer samples than features are as good as any. Not below 0; NaN where statistics are not finite.
/// Throws UsageError when F differs.
[[nodiscard]] double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b);

/// The same to one reference, whose square root is taken once.
class FrechetReference final {
 public:
  explicit FrechetReference(FeatureStatistics reference);
  [[nodiscard]] double distance(const FeatureStatistics& statistics) const;

 private:
  FeatureStatistics reference_;
  Tensor root_;  ///< `[F, r]`; undefined where the reference is not finite
};

}  // namespace stride
