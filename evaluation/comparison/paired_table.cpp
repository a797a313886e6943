#include "evaluation/comparison/paired_table.h"

#include "datasets/metrics/bootstrap.h"
#include "datasets/metrics/intervals.h"

#include <cmath>
#include <utility>

namespace stride {

std::vector<double> block_sums(const std::vector<double>& values, int64_t blocks) {
  const std::vector<int64_t> bounds = block_bounds(static_cast<int64_t>(values.size()), blocks);
  std::vector<double> out;
  for (std::size_t b = 0; b + 1 < bounds.size(); ++b) {
    out.push_back(0.0);
    for (int64_t i = bounds[b]; i < bounds[b + 1]; ++i) out.back() += values[static_cast<std::size_t>(i)];
  }
  return out;
}

PairedTable::PairedTable(std::vector<double> samples, std::vector<std::vector<double>> figure,
                         std::vector<std::vector<double>> nfe, bool root)
    : samples_(std::move(samples)), figure_(std::move(figure)), nfe_(std::move(nfe)), root_(root) {}

PairedView PairedTable::weighted(const std::vector<double>& weights) const {
  double total = 0.0;
  for (std::size_t u = 0; u < weights.size(); ++u) total += weights[u] * samples_[u];
  PairedView out;
  for (std::size_t row = 0; row < figure_.size(); ++row) {
    double figure = 0.0, nfe = 0.0;
    for (std::size_t u = 0; u < weights.size(); ++u) {
      if (weights[u] == 0.0) continue;
      const double weight = weights[u] * samples_[u];
      figure += weight * figure_[row][u];
      nfe += weight * nfe_[row][u];
    }
    figure /= total;
    out.error.push_back(root_ ? std::sqrt(figure) : figure);
    out.nfe.push_back(nfe / total);
  }
  return out;
}

PairedTable PairedTable::joined(int64_t blocks) const {
  const std::vector<double> samples = block_sums(samples_, blocks);
  const auto means = [&](const std::vector<std::vector<double>>& rows) {
    std::vector<std::vector<double>> out;
    for (const std::vector<double>& row : rows) {
      std::vector<double> weighted(row.size());
      for (std::size_t u = 0; u < row.size(); ++u) weighted[u] = row[u] * samples_[u];
      out.push_back(block_sums(weighted, blocks));
      for (std::size_t b = 0; b < samples.size(); ++b) out.back()[b] /= samples[b];
    }
    return out;
  };
  return {samples, means(figure_), means(nfe_), root_};
}

PairedView PairedTable::all() const { return weighted(std::vector<double>(samples_.size(), 1.0)); }

std::vector<PairedView> PairedTable::without(int64_t blocks) const {
  const PairedTable table = joined(blocks);
  std::vector<PairedView> out;
  if (blocks < 2) return out;
  for (std::size_t left_out = 0; left_out < table.samples_.size(); ++left_out) {
    std::vector<double> weights(table.samples_.size(), 1.0);
    weights[left_out] = 0.0;
    out.push_back(table.weighted(weights));
  }
  return out;
}

std::vector<PairedView> PairedTable::resampled(int64_t blocks, int64_t draws, uint64_t seed) const {
  const PairedTable table = joined(blocks);
  std::vector<PairedView> out;
  for (const std::vector<double>& counts : bootstrap_counts(blocks, draws, seed)) out.push_back(table.weighted(counts));
  return out;
}

}  // namespace stride
