#include "datasets/store/shard_set.h"

#include "datasets/store/parallel.h"

#include <utility>

namespace stride {

ShardSet::ShardSet(std::string folder) : index_(std::move(folder)) {
  for (std::size_t i = 0; i < index_.shards().size(); ++i) slots_.push_back(std::make_unique<Slot>());
}

const ShardReader& ShardSet::shard(std::size_t i) const {
  Slot& slot = *slots_[i];
  std::call_once(slot.once, [&] {
    const StoreIndex::Shard& shard = index_.shards()[i];
    slot.reader.emplace(shard.folder, shard.entry, config());
  });
  return *slot.reader;
}

void ShardSet::verify() const {
  for_each_index(slots_.size(), io_threads(), [&](std::size_t i) { (void)shard(i); });
}

}  // namespace stride
