// Errors of several samplers on the same samples, and what they are on other weights of those samples.
#pragma once

#include <cstdint>
#include <vector>

namespace stride {

/// What rows come to on one weighting of the samples.
struct PairedView {
  std::vector<double> error, nfe;  ///< by row
};

/// Rows measured on the same units, a unit being a seed or a block of seeds.
class PairedTable final {
 public:
  /// `figure[row][unit]` is the mean over the unit of what is averaged (squared errors where `root`, and the error is
  /// the root of their mean), `nfe[row][unit]` its mean evaluations, `samples[unit]` how many samples it has.
  PairedTable(std::vector<double> samples, std::vector<std::vector<double>> figure,
              std::vector<std::vector<double>> nfe, bool root);

  [[nodiscard]] int64_t units() const { return static_cast<int64_t>(samples_.size()); }
  /// All samples.
  [[nodiscard]] PairedView all() const;
  /// All but one of `blocks` runs of units as equal as they get, for each.
  [[nodiscard]] std::vector<PairedView> without(int64_t blocks) const;
  /// Bootstrap samples of `blocks` such runs (datasets/metrics/bootstrap.h).
  [[nodiscard]] std::vector<PairedView> resampled(int64_t blocks, int64_t draws, uint64_t seed) const;
  /// A row's figures by unit.
  [[nodiscard]] const std::vector<double>& figures(std::size_t row) const { return figure_[row]; }
  [[nodiscard]] const std::vector<double>& samples() const { return samples_; }

 private:
  [[nodiscard]] PairedTable joined(int64_t blocks) const;
  [[nodiscard]] PairedView weighted(const std::vector<double>& weights) const;

  std::vector<double> samples_;
  std::vector<std::vector<double>> figure_, nfe_;
  bool root_;
};

/// Sums of `values` over `blocks` runs of neighbours as equal as they get.
[[nodiscard]] std::vector<double> block_sums(const std::vector<double>& values, int64_t blocks);

}  // namespace stride
