// One sealed file of a trajectory store.
#pragma once

#include "datasets/manifest.h"
#include "datasets/mapped_file.h"
#include "datasets/trajectory.h"

#include <string>

namespace stride {

/// The bytes of a shard that holds `batch`, which conforms to `config`.
[[nodiscard]] std::string format_shard(const TrajectoryBatch& batch, const TrajectoryConfig& config);

/// A shard, verified once and read at random at memory speed after that.
class ShardReader final {
 public:
  /// Checks size and checksum, then the layout against `config`. Throws InputError, naming the file.
  ShardReader(const std::string& folder, const ShardEntry& entry, const TrajectoryConfig& config);

  [[nodiscard]] int64_t size() const noexcept { return seed_.size(0); }
  [[nodiscard]] std::string_view image() const noexcept { return file_.bytes(); }
  [[nodiscard]] const Tensor& seed() const noexcept { return seed_; }      ///< int64 `[n]`
  [[nodiscard]] const Tensor& nfe() const noexcept { return nfe_; }        ///< int32 `[n]`
  [[nodiscard]] const Tensor& status() const noexcept { return status_; }  ///< int8 `[n]`
  [[nodiscard]] const Tensor& sigma() const noexcept { return sigma_; }    ///< float64 `[n, K]`
  /// The bytes of one trajectory's x and denoised, in the file's dtype; not aligned to it.
  [[nodiscard]] std::string_view x(int64_t row) const noexcept {
    return x_.substr(x_row_ * static_cast<std::size_t>(row), x_row_);
  }
  [[nodiscard]] std::string_view denoised(int64_t row) const noexcept {
    return denoised_.substr(denoised_row_ * static_cast<std::size_t>(row), denoised_row_);
  }

 private:
  MappedFile file_;
  Tensor seed_, nfe_, status_, sigma_;
  std::string_view x_, denoised_;
  std::size_t x_row_ = 0, denoised_row_ = 0;
};

}  // namespace stride
