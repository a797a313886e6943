// The shards of a store, mapped and verified when somebody first looks at them.
#pragma once

#include "datasets/store/shard.h"
#include "datasets/store/store_index.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// Safe to use from several threads.
class ShardSet final {
 public:
  /// Reads the manifests alone. Throws as StoreIndex.
  explicit ShardSet(std::string folder);

  [[nodiscard]] const StoreIndex& index() const noexcept { return index_; }
  [[nodiscard]] const TrajectoryConfig& config() const noexcept { return index_.config(); }

  /// Shard `i` of the index; the first time its checksum is verified. Throws InputError, naming the file.
  [[nodiscard]] const ShardReader& shard(std::size_t i) const;
  /// Verifies those that were not yet, on several threads.
  void verify() const;

 private:
  struct Slot {
    std::once_flag once;
    std::optional<ShardReader> reader;
  };
  StoreIndex index_;
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace stride
