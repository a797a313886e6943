// Which seeds each of several writers of one store is about to record.
#pragma once

#include "datasets/store/seed_ranges.h"
#include "framework/files/lock.h"

#include <string>

namespace stride {

/// One writer's share of a store, told to the others while this lives. Shares of writers that have ended count no more:
/// what they recorded stands in their manifests.
class StoreShare final {
 public:
  /// `part`: the writer's own folder, which is `store` or one of its ranks'; both are made. Throws LockedError, before
  /// anything else is written, where a seed is in the share of a writer that lives, naming both; InputError where such
  /// a writer's note cannot be read.
  StoreShare(const std::string& store, const std::string& part, const SeedRanges& seeds, const std::string& run_id);

 private:
  LockFile note_;
};

}  // namespace stride
