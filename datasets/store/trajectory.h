// What a trajectory store holds: whole sampling runs of one solver on one grid, in EDM coordinates.
#pragma once

#include "framework/tensor.h"

#include <map>
#include <string>
#include <vector>

namespace stride {

/// The setting of a store that names the class, or the classes, of its trajectories.
inline constexpr const char* kClassSetting = "class";

/// What all trajectories of one store have in common. A store is only ever extended by its own kind.
struct TrajectoryConfig {
  std::string model_sha256;
  std::string solver;                           ///< as `--solver` names it
  std::string schedule;                         ///< as `--schedule` names it
  std::string final = "zero";                   ///< "zero" or "sigma_min"
  at::ScalarType dtype = at::kFloat;            ///< in the files: float32 or float16; float64 with `features`
  std::vector<int64_t> sample_shape;            ///< without the batch
  int64_t steps = 0;                            ///< intervals between the stored points; K = steps + 1 points
  std::vector<double> sigmas;                   ///< `[K]`; empty: each trajectory has its own
  std::map<std::string, std::string> settings;  ///< anything else that must agree: policy, class, guidance, …
  std::vector<int64_t> save_at;                 ///< which points of a longer grid the K are; empty: all of it
  bool features = false;                        ///< gram, pooled and start in place of x and denoised

  [[nodiscard]] int64_t points() const noexcept { return steps + 1; }
  /// Bytes of one trajectory in a file.
  [[nodiscard]] int64_t row_bytes() const noexcept;
  /// Empty when valid, else what is wrong.
  [[nodiscard]] std::string invalid_reason() const;
  /// Empty when both are equal, else the first field that differs, with both values.
  [[nodiscard]] std::string difference(const TrajectoryConfig& other) const;
};

/// What `pooled` says of a denoised image: mean, standard deviation, means of four quarters, gradient energy.
inline constexpr int64_t kPooledStatistics = 7;
/// What `start` says of x_T/σ_T: mean, standard deviation, means of four quarters.
inline constexpr int64_t kStartStatistics = 6;

/// What TrajectoryBatch::label has for a trajectory without a class, and where a store of an earlier version does not
/// say which of several it is.
inline constexpr int64_t kNoLabel = -1, kUnknownLabel = -2;

/// `n` trajectories. With TrajectoryConfig::features they have no states, but gram, pooled and start.
struct TrajectoryBatch {
  Tensor x;         ///< `[n, K, …]` the state at each point of the grid
  Tensor denoised;  ///< `[n, steps, …]` the first evaluation of each step
  Tensor seed;      ///< int64 `[n]`, ≥ 0
  Tensor nfe;       ///< int32 `[n]`
  Tensor sigma;     ///< float64 `[n, K]`; when appending undefined if the config has the sigmas
  Tensor status;    ///< int8 `[n]`, as in run_state.h; when appending undefined for all ok
  Tensor label;     ///< int64 `[n]`, the class, kNoLabel or kUnknownLabel; undefined: the model takes none
  Tensor gram;      ///< float64 `[n, V, V]`, V = K + steps: inner products (docs/store.md says of what)
  Tensor pooled;    ///< float64 `[n, steps, 7]`: kPooledStatistics of each denoised image
  Tensor start;     ///< float64 `[n, 6]`: kStartStatistics

  [[nodiscard]] int64_t size() const { return seed.defined() ? seed.size(0) : 0; }
  /// Rows [first, first + count).
  [[nodiscard]] TrajectoryBatch slice(int64_t first, int64_t count) const;
  [[nodiscard]] static TrajectoryBatch concat(const std::vector<TrajectoryBatch>& batches);
};

/// A dataset of a shard with one row per trajectory.
struct RowDataset {
  const char* name;
  Tensor TrajectoryBatch::*member;
  at::ScalarType dtype;
  std::vector<int64_t> shape;  ///< of one row
};

/// The large datasets of such trajectories, in the order of the files: all that differ with `features`.
[[nodiscard]] std::vector<RowDataset> row_datasets(const TrajectoryConfig& config);

/// `batch` on the CPU, in the dtypes of the files, with every member defined. Throws UsageError where it
/// does not fit `config` or a finite value does not fit the dtype.
[[nodiscard]] TrajectoryBatch conform(const TrajectoryBatch& batch, const TrajectoryConfig& config);

}  // namespace stride
