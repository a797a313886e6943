// Collects trajectories while a chunk of samples runs.
#pragma once

#include "datasets/store/trajectory.h"
#include "framework/sample.h"

#include <optional>
#include <string>
#include <vector>

namespace stride {

/// The points of a grid of `steps` intervals that a text names: "all", or indices i,j,… counted from 0, or negative
/// ones from the end (-1 is the last). Increasing, at least two. Throws UsageError.
[[nodiscard]] std::vector<int64_t> parse_save_at(const std::string& text, int64_t steps);

/// Sees the steps of one chunk on a fixed grid, x before and after and the first evaluation of each, and keeps x at the
/// chosen points and the evaluations of the steps that leave them. A value: start a new one for every chunk.
class TrajectoryTap final {
 public:
  TrajectoryTap(std::vector<int64_t> points, int64_t steps) : points_(std::move(points)), steps_(steps) {}

  void see(const Tensor& before, const Tensor& after, const Tensor& denoised);
  /// What was seen, with the result's seeds, NFE and statuses.
  [[nodiscard]] TrajectoryBatch batch(const Tensor& seeds, const RunResult& result) const;

 private:
  std::vector<int64_t> points_;
  int64_t steps_;
  int64_t seen_ = 0;
  std::size_t next_ = 0;
  std::vector<Tensor> x_, denoised_;
};

}  // namespace stride
