// One sealed file of a trajectory store.
#pragma once

#include "datasets/files/mapped_file.h"
#include "datasets/store/manifest.h"
#include "datasets/store/trajectory.h"

#include <string>
#include <string_view>
#include <vector>

namespace stride {

/// The bytes of a shard that holds `batch`, which conforms to `config`. They end in a line with their checksum
/// (checksum_line.h), and name their store by config_sum: a shard can be told to be whole, and whose, without a
/// manifest.
[[nodiscard]] std::string format_shard(const TrajectoryBatch& batch, const TrajectoryConfig& config);

/// What a manifest says of a whole shard of such a store that it does not list. Throws InputError, naming the file,
/// when it is damaged, of another store, or of a version whose shards do not say what they are.
[[nodiscard]] ShardEntry sealed_shard(const std::string& folder, const std::string& name,
                                      const TrajectoryConfig& config);

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
  [[nodiscard]] const Tensor& label() const noexcept { return label_; }    ///< int64 `[n]`; undefined: it has none
  [[nodiscard]] const Tensor& sigma() const noexcept { return sigma_; }    ///< float64 `[n, K]`
  /// The bytes of one trajectory in dataset `index` of row_datasets(config), where they lie in the file; not aligned.
  [[nodiscard]] std::string_view row(std::size_t index, int64_t row) const noexcept {
    const Column& column = columns_[index];
    return column.bytes.substr(column.row * static_cast<std::size_t>(row), column.row);
  }

 private:
  MappedFile file_;
  Tensor seed_, nfe_, status_, label_, sigma_;
  struct Column {
    std::string_view bytes;
    std::size_t row;  ///< bytes of one
  };
  std::vector<Column> columns_;
};

}  // namespace stride
